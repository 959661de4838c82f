"""Exported files against Keras, and what is refused.

Under JAX and torch each export starts a TensorFlow process of about ten seconds: most are tried on TensorFlow only.
"""

import json

import keras
import numpy as np
import pytest

import keras_hrnet
import keras_hrnet.export.tflite
from keras_hrnet.evaluation import predict
from keras_hrnet.export import ExportReport, export_tflite, read_metadata, run_tflite
from keras_hrnet.export.delegates import Coverage, Outside


def small_network(data_format="channels_last", num_classes=5, **layer_options):
    """Convolutions to stride 4, and a layer "logits" that enlarges them."""
    options = {"data_format": data_format, **layer_options}
    image = keras.Input((None, None, 3) if data_format == "channels_last" else (3, None, None))
    x = keras.layers.Rescaling(1 / 255, **layer_options)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", **options)(x)
    x = keras.layers.Conv2D(num_classes, 3, strides=2, padding="same", **options)(x)
    return keras.Model(image, keras.layers.UpSampling2D(4, name="logits", **options)(x), name="small")


def images(number, size=(16, 24), seed=1):
    return np.random.default_rng(seed).integers(0, 256, (number, *size, 3), dtype=np.uint8)


def tiny_hrnet(**options):
    variant = keras_hrnet.Variant("Tiny", width=8, stage1_blocks=1, stage1_filters=16, modules=(1, 1, 1), blocks=1)
    return keras_hrnet.HRNet(variant, num_classes=4, **options)


@pytest.fixture(scope="module")
def real_network():
    keras.utils.set_random_seed(0)
    return keras_hrnet.HRNetW18Small(data_format="channels_last")


@pytest.mark.slow
def test_the_real_network_answers_as_in_keras_on_every_backend(real_network, tmp_path):
    path = tmp_path / "w18.tflite"
    report = export_tflite(real_network, path, image_size=(64, 96))
    assert isinstance(report, ExportReport)
    assert (report.path, report.size_bytes) == (path, path.stat().st_size)
    seen = images(2, (64, 96))
    expected = real_network.predict_on_batch(seen)
    logits = run_tflite(path, seen)
    np.testing.assert_allclose(logits, expected, atol=3e-5 * np.abs(expected).max())  # measured 2.4e-6
    assert 0 < report.mean_difference < report.largest_difference < 3e-5 * np.abs(expected).max()
    assert report.label_agreement > 0.999
    assert 0 < report.latency_seconds < 10
    # Normalizations are folded, that of pixels but for their mean; of the resizes, 13 are in the network and one
    # enlarges the logits. The head joins maps before its convolution or adds them after, as is faster on the backend.
    names = {"CONV_2D", "ADD", "PAD", "RESIZE_BILINEAR", "SUB"}
    assert set(report.operators) - {"CONCATENATION"} == names
    assert report.operators["RESIZE_BILINEAR"] == 14
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "w18.tflite.json"]


@pytest.mark.converts
@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "quarter"), [pytest.param((32, 64), (8, 16), marks=pytest.mark.heavy), ((33, 50), (9, 13))]
)
def test_logits_at_stride_4_are_those_of_a_network_built_so(tmp_path, size, quarter):
    network = tiny_hrnet(data_format="channels_last")
    at_stride_4 = tiny_hrnet(data_format="channels_last", output_stride=4)
    at_stride_4.set_weights(network.get_weights())
    export_tflite(network, tmp_path / "cut.tflite", image_size=size, output="logits_stride4")
    export_tflite(at_stride_4, tmp_path / "whole.tflite", image_size=size, output="logits_stride4")
    logits = run_tflite(tmp_path / "cut.tflite", images(2, size))
    assert logits.shape == (2, *quarter, 4)
    np.testing.assert_array_equal(logits, run_tflite(tmp_path / "whole.tflite", images(2, size)))


@pytest.mark.parametrize("output", ["logits", "labels", "probabilities"])
def test_a_network_built_at_stride_4_has_no_answer_for_each_pixel(tmp_path, output):
    network = tiny_hrnet(data_format="channels_last", output_stride=4)
    with pytest.raises(ValueError, match=rf"output='{output}' .* stride 4. .*output_stride=1, or pass"):
        export_tflite(network, tmp_path / "tiny.tflite", image_size=(33, 50), output=output)


@pytest.mark.converts
@pytest.mark.parametrize("output", [pytest.param("logits", marks=pytest.mark.heavy), "logits_stride4"])
def test_a_network_that_is_channels_first_becomes_a_file_that_is_channels_last(tmp_path, output):
    path = tmp_path / "tiny.tflite"
    report = export_tflite(tiny_hrnet(data_format="channels_first"), path, image_size=(33, 50), output=output)
    assert run_tflite(path, images(1, (33, 50))).shape == ((1, 33, 50, 4) if output == "logits" else (1, 9, 13, 4))
    assert "TRANSPOSE" not in report.operators


@pytest.mark.slow
@pytest.mark.converts
def test_labels_are_bytes_and_those_of_predict(tmp_path):
    network, path = small_network(), tmp_path / "small.tflite"
    report = export_tflite(network, path, image_size=(16, 24), output="labels", input_dtype="uint8")
    labels = run_tflite(path, images(3))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, predict(network, images(3)))
    assert (report.largest_difference, report.mean_difference, report.label_agreement) == (None, None, 1.0)
    assert report.operators["ARG_MAX"] == 1


@pytest.mark.converts
def test_more_than_255_classes_give_labels_of_int32(tmp_path):
    path = tmp_path / "small.tflite"
    export_tflite(small_network(num_classes=300), path, image_size=(16, 24), output="labels")
    assert run_tflite(path, images(1)).dtype == np.int32


@pytest.mark.converts
def test_probabilities_are_the_softmax_of_the_logits(tmp_path):
    network, path = small_network(), tmp_path / "small.tflite"
    export_tflite(network, path, image_size=(16, 24), output="probabilities")
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(network.predict_on_batch(images(1))))
    np.testing.assert_allclose(run_tflite(path, images(1)), expected, atol=1e-6)  # measured 6e-8


@pytest.mark.converts
def test_a_file_has_a_signature_with_names(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    for output, name in (("logits", "logits"), ("logits_stride4", "logits"), ("labels", "labels")):
        path = tmp_path / f"{output}.tflite"
        export_tflite(small_network(), path, image_size=(16, 24), output=output)
        signatures = Interpreter(model_path=str(path)).get_signature_list()
        assert signatures == {"serving_default": {"inputs": ["image"], "outputs": [name]}}


@pytest.mark.converts
def test_a_file_for_batches_runs_any_number_of_images(tmp_path):
    network, path = small_network(), tmp_path / "small.tflite"
    export_tflite(network, path, image_size=(16, 24), batch_size=2)
    logits = run_tflite(path, images(3))
    np.testing.assert_allclose(logits, network.predict_on_batch(images(3)), atol=1e-5)  # measured 4e-7


@pytest.mark.converts
@pytest.mark.parametrize(
    ("precision", "output"),
    [
        ("float16", "labels"),
        ("dynamic", "probabilities"),
        ("int8", "logits_stride4"),
        ("int8", "labels"),
        ("int8", "probabilities"),
        ("int16x8", "labels"),
        ("int16x8", "logits"),
        ("mixed", "labels"),
    ],
)
def test_precisions_go_with_outputs(tmp_path, precision, output):
    network, path = small_network(), tmp_path / "small.tflite"
    report = export_tflite(
        network,
        path,
        image_size=(16, 24),
        precision=precision,
        output=output,
        input_dtype="uint8",
        representative_data=images(8),
    )
    answers = run_tflite(path, images(2))
    assert answers.dtype == ("uint8" if output == "labels" else "float32")
    assert answers.shape[1:3] == ((4, 6) if output == "logits_stride4" else (16, 24))
    assert report.label_agreement > 0.9
    metadata = read_metadata(path)
    assert (metadata["precision"], metadata["output"]["kind"]) == (precision, output)
    assert metadata["input"] == {**metadata["input"], "dtype": "uint8", "shape": [1, 16, 24, 3]}


@pytest.mark.converts
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"head": "hierarchical", "scales": (0.5, 1.0)}, marks=pytest.mark.heavy, id="hierarchical"),
        pytest.param({"head": "ocr", "align_corners": True}, marks=pytest.mark.slow, id="ocr with aligned corners"),
        pytest.param({"interpolation": "nearest"}, marks=pytest.mark.slow, id="fcn by nearest"),
    ],
)
def test_heads_and_conventions_are_quantized_at_odd_sizes_in_batches(tmp_path, options):
    network, path = tiny_hrnet(data_format="channels_last", **options), tmp_path / "tiny.tflite"
    report = export_tflite(
        network, path, image_size=(51, 67), precision="mixed", representative_data=images(4, (51, 67)), batch_size=4
    )
    seen = images(5, (51, 67), seed=2)
    expected = network.predict_on_batch(seen)
    difference = run_tflite(path, seen) - expected
    assert np.sqrt(np.mean(difference**2)) < 0.2 * expected.std()  # measured 0.02
    assert report.label_agreement > 0.9
    bilinear = "interpolation" not in options
    assert (report.delegates["xnnpack"].share == 1) == bilinear
    assert read_metadata(path)["resize"]["align_corners"] == options.get("align_corners", False)


@pytest.mark.converts
def test_labels_of_a_dataset_give_the_mean_iou_and_a_report_is_kept_beside_the_file(tmp_path):
    network, path = small_network(), tmp_path / "small.tflite"
    dataset = [(images(4), predict(network, images(4)))]
    report = export_tflite(
        network,
        path,
        image_size=(16, 24),
        precision="int8",
        representative_data=dataset,
        class_names=list("abcde"),
        sensitivity=True,
    )
    assert report.keras_miou == 1
    assert 0.9 < report.miou <= 1
    assert (report.num_images, report.num_calibration_images) == (1, 3)
    assert "compared on     1 image not used for calibration; calibrated on 3 images" in str(report)
    assert len(report.sensitivity) >= 2
    assert json.loads((tmp_path / "small.tflite.json").read_text()) == json.loads(json.dumps(report.to_dict()))
    assert read_metadata(path)["class_names"] == list("abcde")


@pytest.mark.converts
def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "small.tflite"
    path.write_text("the old file")

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras_hrnet.export.tflite.pathlib.Path, "write_bytes", full)
    with pytest.raises(
        OSError, match=r"small\.tflite' cannot be written \(No space left on device; .* Free some space"
    ):
        export_tflite(small_network(), path, image_size=(16, 24))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "the old file"


@pytest.mark.converts
def test_a_classifier_of_images_is_exported_too(tmp_path):
    image = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(image)
    network, path = keras.Model(image, keras.layers.Dense(4)(pooled)), tmp_path / "classes.tflite"
    export_tflite(network, path, image_size=(16, 24), output="labels")
    expected = network.predict_on_batch(images(3)).argmax(axis=-1)
    np.testing.assert_array_equal(run_tflite(path, images(3)), expected)
    with pytest.raises(ValueError, match=r"no layer 'logits' that upsamples"):
        export_tflite(network, path, image_size=(16, 24), output="logits_stride4")


@pytest.mark.converts
def test_a_new_export_replaces_the_file_and_a_failed_one_keeps_it(tmp_path, monkeypatch):
    path = tmp_path / "small.tflite"
    path.write_text("the old file")
    network = small_network()
    export_tflite(network, path, image_size=(16, 24))
    good = path.read_bytes()
    assert good != b"the old file"
    convert = keras_hrnet.export.tflite.convert
    monkeypatch.setattr(keras_hrnet.export.tflite, "convert", lambda model, options: convert(small_network(), options))
    with pytest.raises(RuntimeError, match=r"differs by .* in a logit, and .* % of its labels .*No file was kept"):
        export_tflite(network, path, image_size=(16, 24))
    assert path.read_bytes() == good
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "small.tflite.json"]


@pytest.mark.converts
def test_a_file_that_differs_from_keras_is_not_kept(tmp_path, monkeypatch):
    convert = keras_hrnet.export.tflite.convert
    monkeypatch.setattr(keras_hrnet.export.tflite, "convert", lambda model, options: convert(small_network(), options))
    with pytest.raises(RuntimeError, match=r"No file was kept"):
        export_tflite(small_network(), tmp_path / "small.tflite", image_size=(16, 24), output="labels")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.converts
def test_files_are_as_readable_for_others_as_any_new_file(tmp_path):
    path = tmp_path / "small.tflite"
    export_tflite(small_network(), path, image_size=(16, 24))
    (tmp_path / "other").write_text("")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = small_network()
    network.set_weights([np.full(w.shape, np.nan) for w in network.get_weights()])
    with pytest.raises(ValueError, match=r"'small', whose logits on 2 images are not all finite"):
        export_tflite(network, tmp_path / "small.tflite", image_size=(16, 24))


def test_images_below_the_least_size_of_the_network_are_refused(real_network, tmp_path):
    with pytest.raises(ValueError, match=r"image_size=\(16, 96\) for .*Expected a height and width of at least 17"):
        export_tflite(real_network, tmp_path / "w18.tflite", image_size=(16, 96))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"precision": "int4"}, r"precision='int4'. Expected 'float32' or 'float16' or 'dynamic' or 'int8' or"),
        ({"precision": "int8"}, r"precision='int8' without representative_data.*or precision='dynamic'"),
        ({"class_names": ["one"]}, r"Received 1 class_names. Expected 5"),
        (
            {"representative_data": np.full((1, 16, 24, 3), 0.5)},
            r"float64 values in \[0.5, 0.5\].*Multiply them by 255",
        ),
        ({"output": "softmax"}, r"output='softmax'. Expected 'logits' or 'logits_stride4' or 'labels' or 'prob"),
        ({"input_dtype": "int8"}, r"input_dtype='int8'. Expected 'float32' or 'uint8'"),
        ({"image_size": 512}, r"image_size=512. Expected the height and width"),
        ({"image_size": (512,)}, r"image_size=\(512,\)"),
        ({"image_size": (0, 512)}, r"image_size=\(0, 512\)"),
        ({"image_size": (51.2, 512)}, r"image_size=\(51.2, 512\)"),
        ({"image_size": (None, 512)}, r"image_size=\(None, 512\)"),
        ({"batch_size": 0}, r"batch_size=0. Expected a whole number"),
        ({"representative_data": images(1, (8, 8))}, r"images of shape \(1, 8, 8, 3\). Expected \(num_images, 16, 24"),
        ({"representative_data": []}, r"without images"),
    ],
)
def test_options_that_are_none_are_refused(tmp_path, option, message):
    with pytest.raises(ValueError, match=message):
        export_tflite(small_network(), tmp_path / "small.tflite", **{"image_size": (16, 24), **option})
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"w18.onnx'. Expected a name that ends in '.tflite'. Pass .*w18.tflite'"):
        export_tflite(small_network(), tmp_path / "w18.onnx", image_size=(16, 24))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a folder .*exports' to write into"):
        export_tflite(small_network(), tmp_path / "exports" / "w18.tflite", image_size=(16, 24))


def test_a_network_in_half_precision_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"computes in bfloat16. Expected float32.*set_weights"):
        export_tflite(small_network(dtype="mixed_bfloat16"), tmp_path / "small.tflite", image_size=(16, 24))


def test_a_network_of_another_size_is_refused(tmp_path):
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, keras.layers.Activation("linear")(image))
    with pytest.raises(ValueError, match=r"image_size=\(16, 24\) .*Expected \(8, 8\), which it was built for"):
        export_tflite(network, tmp_path / "small.tflite", image_size=(16, 24))


def test_a_dict_of_maps_is_refused(tmp_path):
    image = keras.Input((None, None, 3))
    network = keras.Model(image, {"P2": image, "P3": keras.ops.relu(image)})
    with pytest.raises(TypeError, match=r"functional keras.Model from one batch of images to one tensor"):
        export_tflite(network, tmp_path / "small.tflite", image_size=(16, 24))


def test_a_model_that_gives_labels_is_refused(tmp_path):
    network = keras_hrnet.evaluation.labels_model(small_network())
    with pytest.raises(ValueError, match=r"dtype uint8. Expected float logits"):
        export_tflite(network, tmp_path / "small.tflite", image_size=(16, 24))


def test_a_report_prints_what_matters():
    outside = (Outside("ARG_MAX", "", "no ARG_MAX"),)
    report = ExportReport(
        path="w18.tflite",
        format="TFLite",
        size_bytes=6_200_000,
        image_size=(512, 1024),
        batch_size=1,
        input_dtype="uint8",
        precision="float32",
        output="logits",
        num_images=4,
        largest_difference=2e-4,
        mean_difference=3e-5,
        label_agreement=0.9999,
        latency_seconds=0.3,
        operators={"CONV_2D": 73},
        delegates={"xnnpack": Coverage(1.0, 1, ()), "gpu": Coverage(0.5, 2, outside)},
        keras_miou=0.8,
        miou=0.79,
        float_layers=("net/stem",),
        sensitivity={"net/stem": 0.2, "net/stage2": 0.01},
    )
    assert str(report).splitlines() == [
        "file            w18.tflite, TFLite, 6.2 MB",
        "images          1 x 512 x 1024 x 3, uint8, RGB in [0, 255]",
        "output          logits, float32",
        "compared on     4 images",
        "label agreement 99.990 % of the pixels have the same label as Keras",
        "difference      0.0002 at most, 3e-05 on average",
        "mean IoU        79.00 %, -1.00 compared with Keras",
        "kept in floats  net/stem",
        "most sensitive  net/stem 20 %, net/stage2 1 %",
        "delegate        xnnpack runs 100 % of the operators in 1 part",
        "delegate        gpu runs 50 % of the operators in 2 parts: no ARG_MAX",
        "latency         300.0 ms per batch on this CPU",
        "operators       73 CONV_2D",
    ]
    assert report.to_dict()["image_size"] == [512, 1024]
