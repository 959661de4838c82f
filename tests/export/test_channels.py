"""Networks for other than three channels as files."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.export import ExportedNetwork, export_onnx, export_saved_model, export_tflite
from keras_hrnet.layers import Normalize

SIZE = (16, 24)
OWN = {"mean": [1000.0, 2000, 3000, 4000], "deviation": [300.0, 400, 500, 600]}


def small(channels, **options):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, channels))
    x = Normalize(data_format="channels_last", name="normalize", **options)(image)
    return keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", data_format="channels_last")(x), name="small")


def images(channels, scale=1):
    return np.random.default_rng(1).integers(0, 256, (4, *SIZE, channels), dtype=np.uint8) * scale


def exported(kind, model, folder, **options):
    path = folder / f"small{kind}"
    if kind == ".tflite":
        report = export_tflite(model, path, image_size=SIZE, **options)
    else:
        report = (export_onnx if kind == ".onnx" else export_saved_model)(model, path, **options)
    return path, report


@pytest.mark.converts
@pytest.mark.parametrize("kind", [".tflite", ".onnx", ""])
def test_gray_images_go_in(kind, tmp_path):
    model = small(1)
    path, report = exported(kind, model, tmp_path)
    assert report.label_agreement == 1
    described = keras_hrnet.read_metadata(path)["input"]
    assert described["shape"][-1] == 1 and described["values"].startswith("1 channel in [0, 255]")
    assert f" x 1, {report.input_dtype}, 1 channel in [0, 255]\n" in str(report)
    network = ExportedNetwork(path)
    np.testing.assert_array_equal(keras_hrnet.predict(network, images(1)), keras_hrnet.predict(model, images(1)))


@pytest.mark.converts
@pytest.mark.parametrize("kind", [".tflite", ".onnx", ""])
def test_images_in_a_unit_of_their_own_go_in(kind, tmp_path):
    model, x = small(4, **OWN), images(4).astype("float32") * 20
    path, report = exported(kind, model, tmp_path, representative_data=x)
    assert report.label_agreement == 1
    described = keras_hrnet.read_metadata(path)["input"]
    assert " x 4, float32, in the unit of mean and deviation\n" in str(report)
    assert (described["dtype"], described["mean"], described["deviation"]) == ("float32", *OWN.values())
    network = ExportedNetwork(path)
    np.testing.assert_array_equal(keras_hrnet.predict(network, x), keras_hrnet.predict(model, x))


@pytest.mark.converts
def test_integers_are_calibrated_with_four_channels(tmp_path):
    model = small(4, mean=[127.5] * 4, deviation=[60.0] * 4)
    _, report = exported(".tflite", model, tmp_path, precision="int8", representative_data=images(4))
    assert report.label_agreement > 0.9


@pytest.mark.once
def test_images_of_other_channels_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Expected \(num_images, 16, 24, 1\)"):
        exported(".tflite", small(1), tmp_path, representative_data=images(3))
