"""Exported files are scored, and predict, as the networks that they were made from."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.export import ExportedNetwork, export_onnx, export_saved_model, export_tflite
from keras_hrnet.export.tflite import TFLITE
from keras_hrnet.models.network import Network

pytestmark = pytest.mark.converts
SIZE = (16, 24)


def images(number, size=SIZE):
    return np.random.default_rng(1).integers(0, 256, (number, *size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network():
    """Its logits are those of three classes, of which the second is mirrored into the third."""
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    model = Network(image, keras.layers.Conv2D(3, 3, padding="same", name="last")(x), name="small")
    model.classes = keras_hrnet.data_sets.Classes(("sky", "left", "right"), mirrored=((1, 2),))
    return model


@pytest.fixture(scope="module")
def data():
    labels = np.random.default_rng(2).integers(0, 3, (3, *SIZE), dtype=np.uint8)
    labels[0] = 255
    return [(images(2), labels[:2]), (images(1), labels[2:])]


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """Returns a function that opens the network as a file of a kind, made once."""
    folder, made = tmp_path_factory.mktemp("exported"), {}

    def open_file(name, **options):
        path = folder / name
        if name not in made:
            export = {".tflite": export_tflite, ".onnx": export_onnx, "": export_saved_model}[path.suffix]
            export(network, path, **({"image_size": SIZE} if path.suffix == ".tflite" else {}), **options)
            made[name] = ExportedNetwork(path)
        return made[name]

    return open_file


@pytest.mark.parametrize("name", ["logits.tflite", "labels.tflite", "probabilities.tflite", "any.onnx", "any"])
def test_a_file_is_scored_as_its_network(name, exported, network, data):
    options = {"output": name.removesuffix(".tflite")} if name.endswith(".tflite") else {}
    file = exported(name, **options)
    expected, report = keras_hrnet.evaluate(network, data), keras_hrnet.evaluate(file, data)
    np.testing.assert_array_equal(report.confusion, expected.confusion)
    assert (report.network, report.class_names) == (name, ("sky", "left", "right"))
    assert report.class_colors == network.class_colors


@pytest.mark.parametrize("name", ["logits.tflite", "any.onnx"])
def test_flips_scales_and_probabilities_are_those_of_the_network(name, exported, network, data):
    file, (photo,) = exported(name), images(1)
    options = {"flip": True, "average": "probabilities"}
    if name == "any.onnx":
        options["scales"] = (0.5, 1.0)
    predicted = [keras_hrnet.predict(x, photo, output="probabilities", **options) for x in (file, network)]
    np.testing.assert_allclose(*predicted, atol=1e-5)  # measured 2e-7
    assert not np.allclose(predicted[0], keras_hrnet.predict(file, photo, output="probabilities"))


def test_labels_are_not_averaged(exported, data):
    with pytest.raises(ValueError, match=r"'labels.tflite', which returns labels, for an average"):
        keras_hrnet.evaluate(exported("labels.tflite", output="labels"), data, flip=True)


def test_photos_of_another_size_need_tiles(exported, network):
    file, photo = exported("logits.tflite"), images(1, (20, 30))[0]
    with pytest.raises(
        ValueError, match=r"images of shape \(1, 20, 30, 3\) for the model 'logits.tflite'.*Pass a tile"
    ):
        keras_hrnet.predict(file, photo)
    tiled = {"tile": SIZE, "overlap": 8}
    np.testing.assert_array_equal(
        keras_hrnet.predict(file, photo, **tiled), keras_hrnet.predict(network, photo, **tiled)
    )


def test_a_file_of_another_program_has_unnamed_classes(exported, tmp_path):
    exported("logits.tflite")
    path = tmp_path / "foreign.tflite"
    content = exported("logits.tflite")._runner.path.read_bytes()
    path.write_bytes(content.replace(b"keras_hrnet", b"xeras_hrnet"))
    assert TFLITE.read_metadata(path) is None
    assert keras_hrnet.models.classes_of(ExportedNetwork(path)).names == ("class 0", "class 1", "class 2")


def test_a_file_that_answers_at_stride_four_is_refused(tmp_path):
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(3, 3, strides=4, padding="same")(image))
    export_tflite(network, tmp_path / "a.tflite", image_size=(32, 64), output="logits_stride4")
    with pytest.raises(ValueError, match=r"returns 8x16 outputs for an image of 32x64.*output='logits'"):
        ExportedNetwork(tmp_path / "a.tflite")
