"""Exported files measured side by side."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.export.benchmark import benchmark_files
from keras_hrnet.export.compiled import CompiledTFLite
from keras_hrnet.export.formats import open_runner

pytestmark = pytest.mark.once

TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
SIZE = (32, 48)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return keras_hrnet.HRNet(TINY, 5)


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("my files")
    network.save(folder / "tiny.keras")
    keras_hrnet.export_tflite(network, folder / "tiny.tflite", image_size=SIZE)
    return folder / "tiny.keras", folder / "tiny.tflite"


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)


def test_images_that_are_no_pixels_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match=r"float64 values in \[0.5, 0.5\]. Expected RGB in \[0, 255\]"):
        benchmark_files([tmp_path / "a.tflite"], images=np.full((1, 32, 64, 3), 0.5))


@pytest.mark.slow
def test_each_runner_answers_as_the_network(network, files, images):
    expected = network.predict_on_batch(images)
    for path in files:
        np.testing.assert_allclose(open_runner(path)(images), expected, atol=1e-4 * abs(expected).max())
    assert open_runner(files[0]).image_size is None
    assert open_runner(files[1]).image_size == SIZE


@pytest.mark.slow
def test_files_are_measured_and_compared(network, files, images):
    labels = network.predict_on_batch(images).argmax(-1)
    labels[0, :16] = (labels[0, :16] + 1) % 5
    labels[1, :8] = 255
    runs = []
    measured = benchmark_files(
        files, image_size=SIZE, num_runs=3, num_threads=1, images=images, labels=labels, on_run=lambda: runs.append(1)
    )
    assert len(runs) == 6
    assert [row.path for row in measured] == list(files)
    for row in measured:
        assert row.image_size == SIZE
        assert row.size_bytes == row.path.stat().st_size
        assert 0 < row.median_seconds <= row.p90_seconds
        assert row.first_seconds > 0
        assert row.agreement == pytest.approx(1, abs=2e-3)
        assert 0.3 < row.mean_iou < 1
    assert measured[0].delegates is None
    assert measured[1].delegates == {"xnnpack": 1.0, "gpu": 1.0}


@pytest.mark.slow
def test_a_compiled_model_answers_as_the_interpreter(files, images):
    compiled = CompiledTFLite(files[1], num_threads=1)
    assert (compiled.image_size, compiled.batch_size, compiled.channels) == (SIZE, 1, 3)
    np.testing.assert_array_equal(compiled(images), open_runner(files[1], 1)(images))


def test_an_accelerator_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"accelerator='tpu'. Expected one of cpu, gpu, npu. Pass one"):
        benchmark_files([tmp_path / "a.tflite"], accelerator="tpu")


def test_what_litert_cannot_compile_is_named(tmp_path):
    (tmp_path / "cut.tflite").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"cut.tflite' and the accelerator 'cpu', with which LiteRT cannot run it"):
        CompiledTFLite(tmp_path / "cut.tflite")


def test_what_is_no_file_to_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no.tflite'. Expected a .tflite file or .* or a .keras file"):
        open_runner(tmp_path / "no.tflite")
    (tmp_path / "a.txt").write_text("text")
    for path in (tmp_path, tmp_path / "a.txt"):
        with pytest.raises(ValueError, match="Export the network to one"):
            open_runner(path)


@pytest.mark.slow
def test_a_file_that_cannot_be_run_is_named_with_the_last_lines_of_its_process(tmp_path):
    (tmp_path / "cut.tflite").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"(?s)cut.tflite cannot be run: .* status 1\..*which LiteRT cannot run"):
        benchmark_files([tmp_path / "cut.tflite"])
