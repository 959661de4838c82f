"""`keras-hrnet export` and `keras-hrnet benchmark` of what it wrote."""

import json
import re

import keras
import numpy as np
import pytest
from PIL import Image

from keras_hrnet.cli import export
from keras_hrnet.data import synthesize
from keras_hrnet.data_sets.cityscapes import CLASS_NAMES
from keras_hrnet.export import quantization
from keras_hrnet.export.formats import FORMATS
from keras_hrnet.export.litert import TFLiteModel
from keras_hrnet.layers.normalization import BatchNorm

pytestmark = pytest.mark.once


@pytest.mark.slow
def test_every_kind_of_file_is_written_and_benchmarked(invoke, saved_small_network, tmp_path):
    targets = [tmp_path / name for name in ("w18.tflite", "w18.onnx", "saved model", "fast.keras")]
    for target in targets:
        result = invoke(
            "export", saved_small_network, target, *(("--size", "32x48") if target.suffix == ".tflite" else ())
        )
        assert result.exit_code == 0, result.output
    options = ("--size", "32x48", "--runs", 2, "--json", tmp_path / "times.json")
    measured = [targets[0], targets[3]]
    result = invoke("benchmark", *measured, *options)
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "times.json").read_text())
    assert [row["path"] for row in rows] == list(map(str, measured))
    assert "fast.keras" in result.output
    for folder, shape in (("photos", (40, 60, 3)), ("masks", (40, 60))):
        (tmp_path / folder).mkdir()
        for i in range(3):
            pixels = np.random.default_rng(i).integers(0, 2, shape, dtype="uint8")
            Image.fromarray(255 * pixels).save(tmp_path / folder / f"{i}.png")
    own = ("--images", tmp_path / "photos", "--masks", tmp_path / "masks", "--id-map", "0:0,255:1")
    # Without --size, the file's own.
    options = (*own, "--num-images", 2, "--runs", 1, "--json", tmp_path / "times.json")
    result = invoke("benchmark", targets[0], *options)
    assert result.exit_code == 0, result.exception
    rows = json.loads((tmp_path / "times.json").read_text())
    (row,) = rows
    assert (row["image_size"], row["agreement"]) == ([32, 48], 1.0)
    assert row["mean_iou"] < 1


def test_a_benchmark_says_how_many_images_by_an_option_of_its_own(invoke, tmp_path):
    result = invoke("benchmark", tmp_path / "a.onnx", "--data", tmp_path, "--images", 20)
    assert "--num-images is the number of images to use. Pass --num-images 20" in str(result.exception)


@pytest.mark.parametrize("command", [["benchmark", "a.onnx"], ["benchmark", "data", "root"]], ids=" ".join)
def test_numbers_that_could_not_be_written_are_not_measured(command, invoke, tmp_path):
    result = invoke(*command, "--json", tmp_path / "no" / "a.json")
    assert f"Received --json '{tmp_path / 'no' / 'a.json'}'. Expected its folder to exist." in str(result.exception)


@pytest.mark.slow
def test_integers_learn_their_ranges_from_ones_own_images_and_masks(invoke, saved_small_network, tmp_path):
    for folder, shape in (("photos", (40, 60, 3)), ("masks", (40, 60))):
        (tmp_path / folder).mkdir()
        for i in range(6):
            pixels = np.random.default_rng(i).integers(0, 2, shape, dtype="uint8")
            Image.fromarray(255 * pixels).save(tmp_path / folder / f"{i}.png")
    own = ("--images", tmp_path / "photos", "--masks", tmp_path / "masks", "--id-map", "0:0,255:1")
    options = ("--size", "32x48", "--precision", "int8", *own, "--val-share", "0.3")
    result = invoke("export", saved_small_network, tmp_path / "a.tflite", *options)
    assert result.exit_code == 0, result.exception
    report = json.loads((tmp_path / "a.tflite.json").read_text())
    # Of six images, two validate; of the other four, one verifies.
    assert (report["num_calibration_images"], report["num_images"]) == (3, 1)
    assert report["miou"] is not None


@pytest.mark.slow
def test_a_network_that_does_not_know_its_classes_is_told_and_they_can_be_named(invoke, saved_small_network, tmp_path):
    told = f"The classes of {keras.models.load_model(saved_small_network).name} have no names"
    assert told in invoke("export", saved_small_network, tmp_path / "plain.keras").output
    assert keras.models.load_model(tmp_path / "plain.keras").class_names[0] == "class 0"
    result = invoke("export", saved_small_network, tmp_path / "named.keras", "--classes", "cityscapes")
    assert told not in result.output
    assert keras.models.load_model(tmp_path / "named.keras").class_names == CLASS_NAMES
    assert told not in invoke("export", tmp_path / "named.keras", tmp_path / "again.keras").output
    result = invoke("export", saved_small_network, tmp_path / "a.onnx", "--classes", "sky,road")
    assert "Received 2 class names" in str(result.exception)


@pytest.mark.slow
def test_an_optimized_network_has_no_normalization(invoke, saved_network, tmp_path, sublayers):
    assert invoke("export", saved_network, tmp_path / "fast.keras").exit_code == 0
    fast = keras.models.load_model(tmp_path / "fast.keras")
    assert not [layer for top in fast.layers for layer in sublayers(top) if isinstance(layer, BatchNorm)]
    image = np.random.default_rng(0).integers(0, 256, (1, 33, 47, 3), dtype="uint8")
    expected = keras.models.load_model(saved_network).predict_on_batch(image)
    np.testing.assert_allclose(fast.predict_on_batch(image), expected, atol=1e-4 * abs(expected).max())


@pytest.mark.slow
def test_integers_learn_their_ranges_from_a_data_set_or_from_photos(invoke, saved_small_network, tmp_path):
    streets = synthesize(tmp_path / "streets", num_train=4, num_val=1, num_test=0, size=(64, 128)).root
    result = invoke(
        "export",
        saved_small_network,
        tmp_path / "a.tflite",
        "--size",
        "32x64",
        "--precision",
        "int8",
        "--data",
        streets,
    )
    assert result.exit_code == 0, result.exception
    (tmp_path / "photos").mkdir()
    for i, shape in enumerate(((70, 50), (40, 200))):
        photo = np.random.default_rng(i).integers(0, 256, (*shape, 3), dtype="uint8")
        Image.fromarray(photo).save(tmp_path / "photos" / f"{i}.png")
    options = ("--precision", "mixed", "--photos", tmp_path / "photos", "--answer", "probabilities")
    result = invoke("export", saved_small_network, tmp_path / "b.tflite", "--size", "32x64", *options)
    assert result.exit_code == 0, result.exception


@pytest.mark.slow
def test_a_network_that_was_trained_in_bfloat16_is_exported_in_float32(invoke, small_network, tmp_path, request):
    policy = keras.config.dtype_policy()
    request.addfinalizer(lambda: keras.config.set_dtype_policy(policy))
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = small_network(3)
    keras.config.set_dtype_policy(policy)
    network.save(tmp_path / "half.keras")
    result = invoke("export", tmp_path / "half.keras", tmp_path / "a b.tflite", "--size", "33x47")
    assert result.exit_code == 0, result.exception
    assert "The network computes in bfloat16; the file computes in float32" in result.output
    image = np.random.default_rng(0).integers(0, 256, (1, 33, 47, 3)).astype("float32")
    wanted = keras.ops.convert_to_numpy(network(image))
    found = TFLiteModel((tmp_path / "a b.tflite").read_bytes())(image)
    assert abs(found - wanted).max() <= 5e-2 * abs(wanted).max()


def test_photos_to_calibrate_on_are_spread_over_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "NUM_PHOTOS", 4)
    for i in range(9):
        Image.fromarray(np.full((32, 48, 3), i, "uint8")).save(tmp_path / f"{i}.png")
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Identity()])
    photos = export._images(network, None, tmp_path, (32, 48))
    assert photos[:, 0, 0, 0].tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.tflite",), "Received no --size"),
        (("a.onnx", "--precision", "int8"), "Received --precision for .onnx"),
        (("folder", "--batch-size", 2), "Received --batch-size for a SavedModel"),
        (("a.tflite", "--size", "32x48", "--data", ".", "--photos", "."), "Leave out the other"),
        (("a.tflite", "--size", "32x48", "--precision", "int3"), "Received --precision 'int3'"),
        (("a.tflite", "--size", "32x48", "--precision", "int8"), "Pass --photos"),
        (("folder", "--web"), "Received no --size"),
        (("folder", "--web", "--size", "32x48", "--batch-size", 2), "Received --batch-size for --web"),
        (
            ("folder", "--web", "--web-format", "onnx", "--size", "32x48", "--precision", "int8"),
            "Received --precision for --web-format onnx",
        ),
        (("folder", "--web", "--web-format", "pt", "--size", "32x48"), "Received --web-format 'pt'"),
        (("a.onnx", "--web-format", "onnx"), "Received --web-format for .onnx"),
        (("a.tflite", "--size", "32x48", "--runtime", "."), "Received --runtime for .tflite"),
        (("folder", "--web", "--size", "32x48", "--runtime", "none"), "Received the runtime folder 'none' without"),
        (
            ("a.tflite", "--size", "32x48", "--images", "photos"),
            "Pass --masks. Or pass --photos photos, which needs no masks.",
        ),
        (("a.onnx", "--npu", "qualcomm"), "Received --npu for .onnx"),
        (("folder", "--web", "--size", "32x48", "--npu", "qualcomm"), "Received --npu for --web"),
        (("a.tflite", "--size", "32x48", "--npu", "qualcom"), "Did you mean qualcomm?"),
        (("nowhere/a.tflite", "--size", "32x48"), "Expected its folder to exist"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, message, invoke, saved_small_network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in str(invoke("export", saved_small_network, *arguments).exception)
    assert not list(tmp_path.iterdir())


def test_a_file_is_compiled_for_an_npu_which_is_checked_before_the_export(
    invoke, saved_small_network, tmp_path, monkeypatch
):
    calls = []
    monkeypatch.setattr("keras_hrnet.export.npu.npu_targets", lambda npu: calls.append(npu))
    monkeypatch.setattr("keras_hrnet.export.export_tflite", lambda network, path, **options: calls.append(path))
    monkeypatch.setattr("keras_hrnet.export.compile_for_npu", lambda *given: calls.append(given) or "1 file")
    path = tmp_path / "a.tflite"
    result = invoke("export", saved_small_network, path, "--size", "32x48", "--npu", "qualcomm:SM8750")
    assert calls == ["qualcomm:SM8750", path, (path, "qualcomm:SM8750")]
    assert "1 file" in result.output


@pytest.mark.parametrize("ending", [".tflite", ".onnx"])
def test_a_page_is_written_of_a_file_and_no_option_is_ignored(ending, invoke, tmp_path, monkeypatch):
    file = tmp_path / f"a{ending}"
    file.touch()
    monkeypatch.setattr(
        "keras_hrnet.export.write_web_page", lambda file, path, runtime: calls.append((file, runtime)) or path
    )
    calls = []
    result = invoke("export", file, tmp_path / "web page", "--web", "--runtime", tmp_path)
    assert calls == [(file, tmp_path)]
    assert f"Try the page: keras-hrnet serve '{tmp_path / 'web page'}'" in result.output
    result = invoke("export", file, tmp_path / "web", "--web", "--size", "32x48", "--precision", "int8")
    assert "Received --precision, --size for a page made from an exported file" in str(result.exception)


def test_a_folder_without_a_page_is_not_served(invoke, tmp_path):
    assert "which contains no page" in str(invoke("serve", tmp_path).exception)


def test_a_network_is_not_replaced_by_what_is_exported_of_it(invoke, saved_small_network):
    before = saved_small_network.read_bytes()
    result = invoke("export", saved_small_network, saved_small_network)
    assert "as the network and as the file to write. Expected a different name" in str(result.exception)
    assert saved_small_network.read_bytes() == before


def test_a_missing_model_is_named(invoke, tmp_path):
    assert "Received the model" in str(invoke("export", tmp_path / "no.keras", tmp_path / "a.onnx").exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("network.tfl",), r"Received 'network\.tfl' as the file to write\. .* Did you mean \.tflite\?"),
        (("network.h5",), r"Expected a name that ends with \.tflite, \.onnx, \.xml, \.keras, or the name of a folder"),
        (("network.tflite", "--size", "64x96", "--precision", "int8"), "Pass --photos with a folder of them"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_network_is_loaded(arguments, message, invoke, tmp_path):
    result = invoke("export", tmp_path / "missing.keras", *arguments)
    assert re.search(message, str(result.exception))


def test_a_folder_may_have_a_dot_in_its_name(invoke, tmp_path):
    result = invoke("export", tmp_path / "missing.keras", tmp_path / "flowers-1.2")
    assert isinstance(result.exception, FileNotFoundError)


def test_what_the_command_knows_before_its_imports_is_what_the_package_knows():
    assert set(export.CALIBRATED) == set(quantization.CALIBRATED)
    assert {*export.ENDINGS} == {kind.suffix for kind in FORMATS.values() if kind.suffix} | {".keras"}
