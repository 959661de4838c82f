"""What travels inside a file, on one made without Keras."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes, palette
from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, PALETTE
from keras_hrnet.export import read_metadata, run_tflite
from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.flatbuffer import add_metadata
from keras_hrnet.export.metadata import describe
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.models.weights_hash import weights_hash


def network(num_classes=3):
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Conv2D(num_classes, 1, data_format="channels_last")(image), name="net")


@pytest.fixture(scope="module")
def content():
    import tensorflow as tf

    kernel = tf.constant(np.arange(2700, dtype=np.float32).reshape(30, 30, 3, 1))
    module = tf.Module()
    module.call = tf.function(lambda image: tf.nn.conv2d(image, kernel, 1, "SAME"), [tf.TensorSpec((1, 4, 5, 3))])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    return converter.convert()


def test_metadata_is_read_back_and_the_file_answers_the_same(content, tmp_path):
    path, plain = tmp_path / "net.tflite", tmp_path / "plain.tflite"
    plain.write_bytes(content)
    path.write_bytes(add_metadata(content, {"class_names": ["Straße"]}))
    assert read_metadata(path) == {"class_names": ["Straße"]}
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3))
    np.testing.assert_array_equal(run_tflite(path, image), run_tflite(plain, image))


def test_weights_lie_at_multiples_of_16_bytes_inside_the_flatbuffer(content):
    from ai_edge_litert import schema_py_generated as schema

    written = add_metadata(content, {"a": 1})
    model = schema.Model.GetRootAs(written)
    base = np.frombuffer(written, np.uint8).__array_interface__["data"][0]
    starts = []
    for i in range(model.BuffersLength()):
        if model.Buffers(i).DataLength():
            starts.append(model.Buffers(i).DataAsNumpy().__array_interface__["data"][0] - base)
        assert model.Buffers(i).Size() == 0
    assert len(starts) >= 2
    assert all(start % 16 == 0 for start in starts)


def test_the_file_and_its_signature_are_described():
    model = network(19)
    described = describe(model, TFLiteOptions((4, 5), 2, "uint8", "int8", "labels"))
    assert described["input"]["shape"] == [2, 4, 5, 3]
    assert described["input"]["dtype"] == "uint8"
    assert described["output"] == {"name": "labels", "kind": "labels"}
    assert described["precision"] == "int8"
    assert described["resize"] is None
    assert described["source"] == {"model": "net", "data_format": "channels_last", "sha256": weights_hash(model)}


def test_the_classes_are_those_of_the_network_and_never_guessed():
    model = network(19)
    described = describe(model, ExportOptions())
    assert described["class_names"] == [f"class {i}" for i in range(19)]
    assert described["colors"] == [list(color) for color in palette(19)]
    assert described["ignore_label"] == 255
    model.classes = "cityscapes"
    described = describe(model, ExportOptions())
    assert described["class_names"] == list(CLASS_NAMES)
    assert described["colors"] == [list(color) for color in PALETTE]


def test_names_that_are_given_replace_those_of_the_network_and_keep_its_colors():
    model, names = network(), ["ciel", "route", "arbre"]
    described = describe(model, ExportOptions(), names)
    assert (described["class_names"], described["colors"]) == (names, [list(color) for color in palette(3)])
    colors = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    model.classes = Classes(("sky", "road", "tree"), colors, ignore_label=0xFE)
    described = describe(model, ExportOptions(), names)
    assert (described["class_names"], described["colors"]) == (names, [list(color) for color in colors])
    assert described["ignore_label"] == 0xFE


def test_too_few_names_are_refused():
    with pytest.raises(ValueError, match=r"Received 2 class_names. Expected 3, one for each logit"):
        describe(network(), TFLiteOptions((4, 5)), ("a", "b"))


@pytest.mark.parametrize("head", ["fcn", "ocr", "hierarchical"])
def test_the_resize_convention_of_the_network_is_told(head):
    variant = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    model = keras_hrnet.HRNet(variant, num_classes=3, head=head, align_corners=True)
    convention = describe(model, TFLiteOptions((64, 64)))["resize"]
    assert convention == {"interpolation": "bilinear", "align_corners": True}


def test_a_file_without_metadata_is_named(content, tmp_path):
    for name, written in (("plain.tflite", content), ("text.tflite", b"not a model")):
        (tmp_path / name).write_bytes(written)
        with pytest.raises(ValueError, match=rf"{name}', which contains no metadata of keras_hrnet"):
            read_metadata(tmp_path / name)
    with pytest.raises(
        FileNotFoundError, match=r"none.tflite'. Expected a .tflite file or a .onnx file .*or a web page folder"
    ):
        read_metadata(tmp_path / "none.tflite")
    with pytest.raises(ValueError, match=r"Expected a .tflite file .*Export the network to one"):
        read_metadata(tmp_path)
