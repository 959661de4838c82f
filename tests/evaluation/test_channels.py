"""Images of other than three channels: scored, predicted, read from files, and shown."""

import keras
import numpy as np
import PIL.Image
import pytest

from keras_hrnet.evaluation import evaluate, predict, read_image
from keras_hrnet.evaluation.pictures import as_rgb
from keras_hrnet.layers import Normalize

GRAY_OF_RED = 76  # 0.299 * 255


def classifier(channels, **options):
    """Says of each pixel whether its last channel is above the mean: class 1."""
    image = keras.Input((None, None, channels))
    x = Normalize(data_format="channels_last", **options)(image)
    layer = keras.layers.Conv2D(2, 1, use_bias=False, data_format="channels_last")
    model = keras.Model(image, layer(x))
    layer.kernel.assign(np.array([[0, 0]] * (channels - 1) + [[-1, 1]], "float32")[None, None])
    return model


def four(unit=1):
    return classifier(4, mean=[127.5 * unit] * 4, deviation=[60 * unit] * 4)


def images(channels, size=(4, 6)):
    return np.random.default_rng(0).integers(0, 256, (2, *size, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_network_is_scored_and_predicts(channels):
    model = four() if channels == 4 else classifier(1)
    x = images(channels)
    labels = (x[..., -1] > 127).astype("uint8")
    if channels == 1:
        labels = (x[..., 0] > 0.449 * 255).astype("uint8")
    report = evaluate(model, [(x, labels), (np.moveaxis(x, -1, 1), labels)], num_examples=1, boundary_ratio=None)
    assert report.mean_iou == 1
    assert all(example.image.shape == (4, 6, 3) for example in report.examples)
    np.testing.assert_array_equal(predict(model, x), labels)
    np.testing.assert_array_equal(predict(model, [x[0]])[0], labels[0])
    assert predict(model, x[0], output="overlay").shape == (4, 6, 3)


def test_a_network_with_a_unit_of_its_own_takes_any_values():
    x = images(4).astype("float32") * 100
    np.testing.assert_array_equal(predict(four(unit=100), x), x[..., 3] > 12750)
    assert evaluate(four(unit=0.01), [(x / 1e4, (x[..., 3] > 12750).astype("uint8"))]).mean_iou == 1


@pytest.mark.once
def test_gray_photos_are_read_for_a_gray_network(tmp_path):
    PIL.Image.new("RGB", (6, 4), (255, 0, 0)).save(tmp_path / "red.png")
    PIL.Image.fromarray(np.full((4, 6), 40000, np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "red.png", 1), np.full((4, 6, 1), GRAY_OF_RED))
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png", 1), np.full((4, 6, 1), 40000 // 256))
    found = predict(classifier(1), tmp_path)
    assert [labels.max() for labels in found.values()] == [1, 0]


@pytest.mark.once
def test_four_channels_are_read_as_they_are_stored(tmp_path):
    (x, _) = images(4)
    PIL.Image.fromarray(x, "RGBA").save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", x)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 4), x)
    np.testing.assert_array_equal(read_image(tmp_path / "b.npy", 4), x)
    for labels in predict(four(), tmp_path).values():
        np.testing.assert_array_equal(labels, x[..., 3] > 127)


@pytest.mark.once
@pytest.mark.parametrize("channels", [2, 4, 5])
def test_a_file_of_other_channels_is_refused(channels, tmp_path):
    PIL.Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", images(3)[0])
    with pytest.raises(ValueError, match=rf"a.png has 3 channels. Expected {channels} channels.*numpy.save"):
        read_image(tmp_path / "a.png", channels)
    with pytest.raises(ValueError, match=rf"b.npy has the shape \(4, 6, 3\). Expected {channels} channels"):
        read_image(tmp_path / "b.npy", channels)


@pytest.mark.once
def test_an_array_that_holds_code_or_is_cut_short_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:30])
    for name in ("a.npy", "b.npy"):
        with pytest.raises(ValueError, match=rf"{name}.*cannot be read by NumPy"):
            read_image(tmp_path / name, 5)


@pytest.mark.once
def test_an_array_of_other_channels_is_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 6, 3\). Expected \(height, width, 4\).*built for 4 channels"):
        predict(four(), images(3)[0])


@pytest.mark.once
@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ([7], [7, 7, 7]),
        ([7, 9], [7, 7, 7]),
        ([7, 8, 9, 200], [7, 8, 9]),
        (np.array([0, 500, 1000], "float32"), [0, 128, 255]),
        (np.array([1.6, 2, 3], "float32"), [2, 2, 3]),
    ],
)
def test_any_number_of_channels_is_shown_as_rgb(image, expected):
    image = np.asarray(image)
    pixel = image.astype("uint8") if image.dtype.kind == "i" else image
    np.testing.assert_array_equal(as_rgb(pixel[None, None])[0, 0], expected)
