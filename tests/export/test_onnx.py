"""ONNX files in ONNX Runtime against Keras, and what is refused.

Under JAX and torch each export starts a TensorFlow process of about ten seconds: most are tried on TensorFlow only.
"""

import collections
import errno
import importlib.util
import json
import os

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

import keras_hrnet
from keras_hrnet.data_sets import Classes
from keras_hrnet.export import ServingReport, export_onnx, read_metadata
from keras_hrnet.export.onnx import Onnx
from keras_hrnet.export.tf2onnx_handlers import without_copies

HALF_PIXEL = ("half_pixel", "linear")
ALIGNED = ("align_corners", "linear")
# The index floor(i * source / target).
NEAREST = ("asymmetric", "nearest", "floor")


def small_network(shape=(None, None, 3), **options):
    image = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 255, **options)(image)
    options["data_format"] = "channels_last"
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", **options)(x)
    return keras.Model(image, keras.layers.Conv2D(5, 3, padding="same", **options)(x), name="small")


def tiny_hrnet(**options):
    variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    options = {"data_format": "channels_last", **options}
    return keras_hrnet.HRNet(variant, num_classes=4, **options)


class Remainder(keras.layers.Layer):
    """Multiplies by how many lines are missing to a multiple of eight."""

    def call(self, x):
        return x * keras.ops.cast(-keras.ops.shape(x)[1] % 8, "float32")


@pytest.mark.converts
def test_exact_gelu_is_translated(tmp_path):
    image = keras.Input((16, 24, 3))
    x = keras.layers.Rescaling(1 / 64, offset=-2)(image)
    x = keras.layers.Conv2D(4, 1, activation="gelu", name="gelu")(x)
    network = keras.Model(image, x)
    export_onnx(network, tmp_path / "gelu.onnx")
    assert_answers_alike(tmp_path / "gelu.onnx", network, [(1, 16, 24)])
    assert collections.Counter(node.op_type for node in onnx.load(tmp_path / "gelu.onnx").graph.node)["Erf"] == 1


def images(number, size=(16, 24)):
    return np.random.default_rng(1).integers(0, 256, (number, *size, 3), dtype=np.uint8)


def session_of(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def assert_answers_alike(path, network, sizes, dtype="float32", axis=-1):
    session = session_of(path)
    for number, *size in sizes:
        seen = images(number, size)
        expected = np.moveaxis(network.predict_on_batch(seen if axis == -1 else np.moveaxis(seen, -1, 1)), axis, -1)
        (logits,) = session.run(["logits"], {"images": seen.astype(dtype)})
        assert logits.dtype == np.float32
        # Measured 4.3e-5 with interlaced attention, whose softmax of random features is steep; 1e-6 elsewhere.
        np.testing.assert_allclose(logits, expected, rtol=0, atol=5e-4 * np.abs(expected).max())


def resizes(path):
    """Counts what the operators Resize of a file do."""
    found = []
    for node in onnx.load(path).graph.node:
        if node.op_type == "Resize":
            values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
            names = ["coordinate_transformation_mode", "mode"]
            names += ["nearest_mode"] if values["mode"] == b"nearest" else []
            found.append(tuple(values[name].decode() for name in names))
    return collections.Counter(found)


@pytest.mark.slow
@pytest.mark.compiles
def test_a_file_answers_as_keras_for_images_of_any_size_and_number(tmp_path):
    network, path = tiny_hrnet(), tmp_path / "tiny.onnx"
    network.classes = Classes(tuple("abcd"), ignore_label=9)
    report = export_onnx(network, path)
    assert isinstance(report, ServingReport)
    metadata = read_metadata(path)
    assert (metadata["class_names"], metadata["ignore_label"]) == (list("abcd"), 9)
    assert json.loads(session_of(path).get_modelmeta().custom_metadata_map["keras_hrnet"]) == metadata
    assert_answers_alike(path, network, [(1, 64, 96), (3, 33, 50)])
    assert (report.image_size, report.batch_size, report.input_dtype) == ((None, None), None, "float32")
    assert 0 < report.mean_difference < report.largest_difference < 1e-3
    assert report.label_agreement > 0.999
    assert (report.format, report.size_bytes) == ("ONNX, opset 17", path.stat().st_size)
    (given,), (answer,) = session_of(path).get_inputs(), session_of(path).get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(float)", ["batch", "height", "width", 3])
    assert (answer.name, answer.shape) == ("logits", ["batch", "logits_height", "logits_width", 4])
    assert set(resizes(path)) == {HALF_PIXEL}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.onnx", "tiny.onnx.json"]
    assert json.loads((tmp_path / "tiny.onnx.json").read_text()) == report.to_dict()


@pytest.mark.converts
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "mode", "size"),
    [
        pytest.param({}, HALF_PIXEL, (33, 50), marks=pytest.mark.heavy),
        ({"align_corners": True}, ALIGNED, (33, 50)),
        pytest.param({"interpolation": "nearest"}, NEAREST, (33, 50), marks=pytest.mark.heavy),
        pytest.param({"interpolation": "nearest"}, NEAREST, None, marks=pytest.mark.heavy),
    ],
)
def test_each_resize_is_one_operator_of_the_networks_convention(tmp_path, options, mode, size):
    network, path = tiny_hrnet(**options), tmp_path / "tiny.onnx"
    export_onnx(network, path, image_size=size, batch_size=size and 2)
    assert_answers_alike(path, network, [(2, 33, 50)])
    assert set(resizes(path)) == {mode}
    if size:
        # 10 in the fuse layers, 3 in the head, one of the logits.
        assert resizes(path).total() == 14
        operators = {node.op_type for node in onnx.load(path).graph.node}
        assert not operators & {"BatchNormalization", "Shape", "Slice", "Gather"}


@pytest.mark.converts
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "size"),
    [
        pytest.param({"head": "ocr", "ocr_channels": (16, 8)}, (33, 50), marks=pytest.mark.heavy),
        ({"head": "isa", "isa_channels": (16, 8)}, None),
        pytest.param({"head": "hierarchical", "ocr_channels": (16, 8)}, (65, 50), marks=pytest.mark.heavy),
        pytest.param({"head": "classification"}, (33, 50), marks=pytest.mark.heavy),
    ],
)
def test_every_head_answers_as_keras(tmp_path, options, size):
    network = tiny_hrnet(**options)
    export_onnx(network, tmp_path / "tiny.onnx", image_size=size)
    assert_answers_alike(tmp_path / "tiny.onnx", network, [(2, *(size or (33, 50)))])


@pytest.mark.converts
@pytest.mark.slow
def test_a_network_that_is_channels_first_becomes_a_file_that_is_channels_last(tmp_path):
    network = tiny_hrnet(data_format="channels_first", output_stride=4)
    export_onnx(network, tmp_path / "tiny.onnx", image_size=(33, 50))
    assert session_of(tmp_path / "tiny.onnx").get_outputs()[0].shape == ["batch", 9, 13, 4]
    assert_answers_alike(tmp_path / "tiny.onnx", network, [(2, 33, 50)], axis=1)


@pytest.mark.converts
@pytest.mark.parametrize("opset", [13, 18])
def test_a_file_of_fixed_shape_has_it_and_takes_bytes_if_told_so(tmp_path, opset):
    network, path = small_network(), tmp_path / "small.onnx"
    options = {"image_size": (16, 24), "batch_size": 3, "input_dtype": "uint8", "opset": opset}
    report = export_onnx(network, path, **options, representative_data=images(2))
    (given,), (answer,) = session_of(path).get_inputs(), session_of(path).get_outputs()
    assert (given.type, given.shape, answer.shape) == ("tensor(uint8)", [3, 16, 24, 3], [3, 16, 24, 5])
    assert_answers_alike(path, network, [(3, 16, 24)], dtype="uint8")
    assert {item.domain: item.version for item in onnx.load(path).opset_import}[""] == opset
    assert str(report).splitlines()[0].endswith(f"ONNX, opset {opset}, 0.0 MB")
    assert "3 x 16 x 24 x 3, uint8" in str(report)


@pytest.mark.converts
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_resizes_of_keras_itself_are_translated_too(tmp_path, interpolation):
    image = keras.Input((5, 7, 3))
    enlarged = keras.ops.image.resize(image, (13, 9), interpolation=interpolation, data_format="channels_last")
    network = keras.Model(image, enlarged)
    export_onnx(network, tmp_path / "resize.onnx")
    assert_answers_alike(tmp_path / "resize.onnx", network, [(2, 5, 7)])


@pytest.mark.converts
def test_the_remainder_of_a_negative_length_is_not_negative(tmp_path):
    # As `InterlacedAttention` pads a map to whole blocks; tf2onnx's own remainder made no padding of it.
    image = keras.Input((None, None, 3))
    network = keras.Model(image, Remainder()(image))
    export_onnx(network, tmp_path / "remainder.onnx")
    assert_answers_alike(tmp_path / "remainder.onnx", network, [(1, 13, 4), (1, 16, 4)])


@pytest.mark.converts
def test_a_new_export_replaces_the_file_and_a_failed_one_keeps_it(tmp_path, monkeypatch):
    network, path = small_network(), tmp_path / "small.onnx"
    path.write_text("the old file")
    export_onnx(network, path)
    kept = {file: file.read_bytes() for file in tmp_path.iterdir()}
    write = Onnx.write
    monkeypatch.setattr(Onnx, "write", lambda self, model, *others: write(self, small_network(), *others))
    for name in ("small.onnx", "other.onnx"):
        with pytest.raises(RuntimeError, match=r"differs by .* in a logit, and .* No file was kept"):
            export_onnx(network, tmp_path / name)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == kept
    (tmp_path / "file").write_text("")
    assert path.stat().st_mode == (tmp_path / "file").stat().st_mode


@pytest.mark.converts
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(network, path):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(onnx, "save", full)
    with pytest.raises(OSError, match=r"small\.onnx' cannot be written \(No space left on device; .* Free some space"):
        export_onnx(small_network(), tmp_path / "small.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find_spec(name))
    with pytest.raises(ImportError, match=r'packages tf2onnx. Expected .* pip install "keras-hrnet\[export\]"'):
        export_onnx(small_network(), tmp_path / "small.onnx")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"input_dtype": "int8"}, r"input_dtype='int8'. Expected 'float32' or 'uint8'"),
        ({"image_size": 512}, r"image_size=512. Expected the height and width"),
        ({"image_size": (8, 8)}, r"image_size=\(8, 8\) for the model 'small'. Expected \(16, 24\)"),
        ({"batch_size": 0}, r"batch_size=0. Expected a whole number"),
        ({"opset": 9}, r"opset=9. Expected a whole number from 13 to 18"),
        ({"opset": None}, r"opset=None"),
        ({"representative_data": images(1, (8, 8))}, r"images of shape \(1, 8, 8, 3\). Expected \(num_images, 16, 24"),
    ],
)
def test_options_that_are_none_are_refused(tmp_path, option, message):
    with pytest.raises(ValueError, match=message):
        export_onnx(small_network((16, 24, 3)), tmp_path / "small.onnx", **option)
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"w18.tflite'. Expected a name that ends in '.onnx'. Pass .*w18.onnx'"):
        export_onnx(small_network(), tmp_path / "w18.tflite")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a folder .*exports' to write into"):
        export_onnx(small_network(), tmp_path / "exports" / "w18.onnx")


@pytest.mark.parametrize("model", ["w48", keras.Sequential(), None])
def test_what_is_no_network_is_refused(tmp_path, model):
    with pytest.raises(TypeError, match=r"Expected a functional keras.Model from one batch of images"):
        export_onnx(model, tmp_path / "w18.onnx")


def test_a_network_in_half_precision_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"computes in bfloat16. Expected float32.*set_weights"):
        export_onnx(small_network(dtype="mixed_bfloat16"), tmp_path / "small.onnx")


@pytest.mark.once
@pytest.mark.parametrize("setting", [None, "TRUE"])
def test_tf2onnx_is_left_as_it_was(setting, monkeypatch):
    if setting is None:
        monkeypatch.delenv("TF2ONNX_CATCH_ERRORS", raising=False)
    else:
        monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", setting)
    optimize = GraphOptimizerBase.optimize
    with pytest.raises(KeyError), without_copies():
        assert GraphOptimizerBase.optimize is not optimize
        assert os.environ["TF2ONNX_CATCH_ERRORS"] == "FALSE"
        raise KeyError
    assert GraphOptimizerBase.optimize is optimize
    assert os.environ.get("TF2ONNX_CATCH_ERRORS") == setting
