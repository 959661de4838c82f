"""Networks for images of other than three channels: gray, with a fourth channel, of any number and unit."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.models.interface import data_format, images_for, num_channels

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
STATISTICS = {"mean": (100, 110, 120, 5000), "deviation": (50, 55, 60, 900)}


def network(channels, head="fcn", **options):
    keras.utils.set_random_seed(0)
    return keras_hrnet.HRNet(TINY, 5, head=head, ocr_channels=(8, 4), input_shape=(None, None, channels), **options)


def images_of(channels, size=(35, 49)):
    return np.random.default_rng(0).uniform(0, 255, (2, *size, channels)).astype("float32")


def answer(model, images):
    return keras.ops.convert_to_numpy(model(images_for(model, images), training=False))


@pytest.mark.parametrize(
    "head", ["fcn", *(pytest.param(head, marks=pytest.mark.once) for head in ("hierarchical", "classification"))]
)
def test_a_network_takes_four_channels(head):
    model = network(4, head, **STATISTICS)
    assert model.input_shape[keras.config.image_data_format() == "channels_first" or -1] == 4
    assert model.weights[0].shape == (3, 3, 4, 64)
    outputs = keras.tree.flatten(model(images_for(model, images_of(4))))
    assert all(np.isfinite(keras.ops.convert_to_numpy(x)).all() for x in outputs)


def test_the_mean_is_subtracted_and_the_deviation_divides():
    layer = keras_hrnet.layers.Normalize(mean=(10, 200), deviation=(2, 4), data_format="channels_last")
    values = keras.ops.convert_to_numpy(layer(np.array([[[[14, 190]]]], "uint8")))
    np.testing.assert_array_equal(values, [[[[2.0, -2.5]]]])


def test_gray_has_the_mean_of_imagenets_statistics():
    layer = keras_hrnet.layers.Normalize(data_format="channels_last")
    layer.build((None, 32, 32, 1))
    ((mean,), (deviation,)) = layer.statistics
    assert (mean, deviation) == (pytest.approx(0.449 * 255), pytest.approx(0.226 * 255))


@pytest.mark.compiles
def test_a_gray_image_gives_what_it_gives_as_rgb_with_the_summed_kernel():
    options = {"data_format": "channels_last"}
    gray, rgb = network(1, **options), network(3, mean=[0.449 * 255] * 3, deviation=[0.226 * 255] * 3, **options)
    values = [weight.numpy() for weight in rgb.weights]
    gray.set_weights([values[0].sum(axis=2, keepdims=True), *values[1:]])
    images = images_of(1)
    # measured 2.1e-6
    np.testing.assert_allclose(answer(gray, images), answer(rgb, np.repeat(images, 3, axis=-1)), atol=2e-5)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_images_come_in_either_format(layout):
    model = network(4, data_format=layout, **STATISTICS)
    assert (data_format(model), num_channels(model)) == (layout, 4)
    images = images_of(4)
    np.testing.assert_array_equal(answer(model, images), answer(model, np.moveaxis(images, -1, 1)))


def test_many_channels_of_small_images_are_told_from_their_sides():
    statistics = {"mean": [100.0] * 40, "deviation": [50.0] * 40}
    model = keras_hrnet.HRNet(TINY, 5, input_shape=(32, 32, 40), data_format="channels_last", **statistics)
    assert (data_format(model), num_channels(model)) == ("channels_last", 40)


def test_a_network_is_saved_and_loaded(tmp_path):
    model = network(4, "ocr", **STATISTICS)
    model.save(tmp_path / "four.keras")
    loaded = keras.models.load_model(tmp_path / "four.keras")
    np.testing.assert_array_equal(answer(loaded, images_of(4)), answer(model, images_of(4)))
    assert loaded.get_layer("normalize").mean == STATISTICS["mean"]


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.once), 4])
def test_an_optimized_network_gives_the_same(channels):
    model = network(channels, **(STATISTICS if channels == 4 else {}))
    fast = keras_hrnet.optimize_for_inference(model)
    images = images_of(channels)
    # measured 5.7e-6
    np.testing.assert_allclose(answer(fast, images), answer(model, images), atol=6e-5)
    assert any(layer.name == "normalize_mean" for layer in fast.layers)


@pytest.mark.once
@pytest.mark.parametrize(
    ("channels", "options", "message"),
    [
        (4, {}, r"`Tiny` received images of 4 channels without mean.*Pass the mean and deviation"),
        (4, {"mean": (1, 2, 3, 4)}, r"4 channels without deviation"),
        (3, {"mean": (1, 2, 3, 4)}, r"mean=\(1, 2, 3, 4\) for images of 3 channels. Expected a sequence of 3 finite"),
        (3, {"deviation": (1, 0, 3)}, r"deviation=\(1, 0, 3\).*Expected a sequence of 3 numbers above 0"),
        (1, {"mean": 114.0}, r"mean=114.0 for images of 1 channels. Expected a sequence of 1"),
        (1, {"mean": (float("nan"),)}, r"mean=\(nan,\)"),
        (None, {}, r"input_shape=\(None, None, None\). Expected \(height, width, 3\)"),
        (0, {}, r"input_shape=\(None, None, 0\). Expected"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(channels, options, message):
    with pytest.raises(ValueError, match=message):
        network(channels, data_format="channels_last", **options)


@pytest.mark.once
@pytest.mark.parametrize(
    ("shape", "layout", "other"),
    [((3, 64, 64), "channels_last", r"\(64, 64, 3\)"), ((64, 64, 3), "channels_first", r"\(3, 64, 64\)")],
)
def test_an_image_of_the_other_format_is_refused_with_its_shape_in_this_format(shape, layout, other):
    with pytest.raises(ValueError, match=f"Expected .* for data_format='{layout}', .*Pass input_shape={other}"):
        keras_hrnet.HRNet(TINY, 5, input_shape=shape, data_format=layout)


@pytest.mark.once
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 64, 16), r"input_shape=\(3, 64, 16\), which is \(height, width, channels\)"),
        (
            (32, 64, 64),
            r"64 channels without mean.*correct input_shape=\(32, 64, 64\), which is \(height, width",
        ),
    ],
)
def test_an_error_says_which_axis_is_which(shape, message):
    with pytest.raises(ValueError, match=message):
        keras_hrnet.HRNet(TINY, 5, input_shape=shape, data_format="channels_last")
