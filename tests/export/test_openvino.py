"""OpenVINO files against Keras, and what is refused.

Under JAX and torch each export starts a TensorFlow process of about ten seconds: most are tried on TensorFlow only.
"""

import importlib.util
import json
import subprocess
import sys

import keras
import numpy as np
import openvino
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes
from keras_hrnet.export import ExportedNetwork, export_openvino, read_metadata
from keras_hrnet.export.formats import size_of_export


def small_network(shape=(None, None, 3)):
    image = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", data_format="channels_last")(x)
    return keras.Model(image, keras.layers.Conv2D(5, 3, padding="same", data_format="channels_last")(x), name="small")


def images(number, size=(16, 24)):
    return np.random.default_rng(1).integers(0, 256, (number, *size, 3), dtype=np.uint8)


def assert_answers_alike(path, network, sizes, dtype="float32"):
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for number, *size in sizes:
        seen = images(number, size)
        logits, expected = compiled({"images": seen.astype(dtype)})["logits"], network.predict_on_batch(seen)
        # Measured 1.5e-6 of the largest logit; 1.2e-5 with interlaced attention.
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1.5e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.converts
def test_a_file_answers_as_keras_for_images_of_any_size_and_number(tmp_path):
    variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    network, path = keras_hrnet.HRNet(variant, 4, data_format="channels_last"), tmp_path / "tiny.xml"
    network.classes = Classes(tuple("abcd"), ignore_label=9)
    report = export_openvino(network, path)
    assert (report.format, report.precision, report.image_size) == ("OpenVINO", "float32", (None, None))
    assert (read_metadata(path)["class_names"], read_metadata(path)["ignore_label"]) == (list("abcd"), 9)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.bin", "tiny.xml", "tiny.xml.json"]
    assert (
        report.size_bytes == size_of_export(path) == sum(path.with_suffix(x).stat().st_size for x in (".bin", ".xml"))
    )
    assert json.loads((tmp_path / "tiny.xml.json").read_text()) == report.to_dict()
    assert_answers_alike(path, network, [(1, 64, 96), (3, 33, 50)])


@pytest.mark.converts
@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"align_corners": True, "head": "ocr"},
        *(
            pytest.param(options, marks=pytest.mark.heavy)
            for options in ({"interpolation": "nearest"}, {"head": "hierarchical"}, {"head": "isa"})
        ),
    ],
    ids=str,
)
def test_every_head_and_way_to_resize_is_kept(options, tmp_path):
    variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    network = keras_hrnet.HRNet(variant, 4, **options)
    export_openvino(network, tmp_path / "tiny.xml")
    assert_answers_alike(tmp_path / "tiny.xml", network, [(1, 64, 96), (2, 65, 50)])


@pytest.mark.converts
def test_a_file_of_a_fixed_size_of_bytes_is_scored_as_its_network(tmp_path):
    network, path = small_network(), tmp_path / "small.xml"
    report = export_openvino(network, path, image_size=(16, 24), batch_size=2, input_dtype="uint8")
    assert (report.image_size, report.batch_size, report.input_dtype) == ((16, 24), 2, "uint8")
    opened = ExportedNetwork(path)
    np.testing.assert_allclose(
        opened.predict_on_batch(images(3)), network.predict_on_batch(images(3)), rtol=0, atol=1e-5
    )


@pytest.mark.converts
def test_weights_in_half_precision_take_half_the_size(tmp_path):
    network = small_network()
    whole = export_openvino(network, tmp_path / "whole.xml")
    half = export_openvino(network, tmp_path / "half.xml", precision="float16")
    sizes = [(tmp_path / name).stat().st_size for name in ("whole.bin", "half.bin")]
    assert 0.45 < sizes[1] / sizes[0] < 0.6
    assert whole.largest_difference < half.largest_difference


@pytest.mark.converts
def test_integers_are_calibrated_and_verified_on_other_images(tmp_path):
    path, seen = tmp_path / "small.xml", images(8)
    report = export_openvino(small_network(), path, precision="int8", representative_data=seen, batch_size=4)
    assert (report.num_calibration_images, report.num_images) == (6, 2)
    assert report.label_agreement > 0.95
    kinds = {node.get_type_name() for node in openvino.Core().read_model(path).get_ops()}
    assert "FakeQuantize" in kinds
    assert read_metadata(path)["precision"] == "int8"


STATISTICS = """
import sys, keras, numpy, keras_hrnet.export
network = keras.Sequential([keras.Input((16, 24, 3)), keras.layers.Conv2D(5, 3, padding="same")])
images = numpy.random.default_rng(1).integers(0, 256, (8, 16, 24, 3), numpy.uint8)
keras_hrnet.export.export_openvino(network, sys.argv[1], precision="int8", representative_data=images)
print(*sorted({"nncf", "openvino", "openvino_telemetry"} & sys.modules.keys()))
"""


@pytest.mark.slow
@pytest.mark.converts
def test_nothing_sends_usage_statistics(tmp_path):
    assert importlib.util.find_spec("openvino_telemetry")
    command = [sys.executable, "-c", STATISTICS, str(tmp_path / "small.xml")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout.splitlines()[-1:] == ["nncf openvino"], run.stdout + run.stderr


@pytest.mark.converts
def test_a_file_that_is_there_is_replaced_while_it_is_open(tmp_path):
    path = tmp_path / "small.xml"
    export_openvino(small_network(), path)
    opened, expected = ExportedNetwork(path), small_network()
    before = opened.predict_on_batch(images(1))
    export_openvino(expected, path)
    np.testing.assert_array_equal(opened.predict_on_batch(images(1)), before)
    assert_answers_alike(path, expected, [(1, 16, 24)])


@pytest.mark.converts
def test_a_damaged_file_and_one_without_its_weights_are_refused_by_name(tmp_path):
    path = tmp_path / "small.xml"
    export_openvino(small_network(), path)
    whole = path.read_text()
    path.write_text(whole.replace("Convolution", "Convoluted"))
    with pytest.raises(ValueError, match=r"small\.xml', which OpenVINO cannot read: .*Export the network again"):
        ExportedNetwork(path)
    path.write_text("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(ValueError, match="is an XML document, as servers send with errors"):
        ExportedNetwork(path)
    path.write_text(whole)
    path.with_suffix(".bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"small\.xml' without 'small\.bin' next to it"):
        ExportedNetwork(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "Received precision='int4'. Expected 'float32' or 'float16' or 'bfloat16' or 'int8'"),
        ({"precision": "int8"}, "precision='int8' without representative_data.*or precision='float32'"),
        ({"image_size": (0, 24)}, r"Received image_size=\(0, 24\)"),
        ({"input_dtype": "int8"}, "Received input_dtype='int8'"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_openvino(small_network(), tmp_path / "small.xml", **options)
    assert not list(tmp_path.iterdir())


def test_bfloat16_is_refused_where_the_processor_cannot_verify_it(tmp_path, monkeypatch):
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8"])
    with pytest.raises(ValueError, match=r"precision='bfloat16' on a processor without bfloat16.*AVX512-BF16 or AMX"):
        export_openvino(small_network(), tmp_path / "small.xml", precision="bfloat16")


def test_weights_of_something_else_are_not_replaced(tmp_path):
    (tmp_path / "small.bin").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"'small\.bin' already exists and is not part of an OpenVINO file"):
        export_openvino(small_network(), tmp_path / "small.xml")
    assert (tmp_path / "small.bin").read_bytes() == b"mine"


def test_missing_packages_are_named_with_how_to_install_them(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "nncf" else find(name, *args))
    with pytest.raises(ImportError, match=r'the packages nncf\..*pip install "keras-hrnet\[openvino\]"'):
        export_openvino(small_network(), tmp_path / "s.xml", precision="int8", representative_data=images(4))


@pytest.mark.parametrize("text", ["", "[1]", "[" * 100_000])
def test_damaged_metadata_is_refused_with_the_name_of_the_file(tmp_path, text):
    opset, path = openvino.opset13, tmp_path / "relu.xml"
    network = openvino.Model([opset.relu(images := opset.parameter([1, 4, 4, 3]))], [images])
    network.set_rt_info(text, "keras_hrnet")
    openvino.save_model(network, path)
    with pytest.raises(ValueError, match=r"relu\.xml', whose metadata of keras_hrnet cannot be read"):
        read_metadata(path)
