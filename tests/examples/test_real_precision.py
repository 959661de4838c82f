"""The table of precisions on real photos, on drawn data and a network that knows nothing."""

import re
import sys

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data_sets import DATA_SETS
from keras_hrnet.models.network import Network

pytestmark = pytest.mark.converts

CAMVID = DATA_SETS["camvid"]
NUM_CLASSES = len(CAMVID.classes.names)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_each_precision_is_scored_on_the_validation_photos(
    dtype, benchmark_script, camvid_root, tmp_path, monkeypatch, capsys
):
    real_precision = benchmark_script("real_precision")
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    last = keras.layers.Conv2D(NUM_CLASSES, 3, padding="same", name="last_layer_0", dtype=dtype)
    model = Network(image, last(x), name="small")
    model.classes = CAMVID.classes
    model.save(tmp_path / "small.keras")
    arguments = [str(camvid_root), str(tmp_path / "small.keras"), "--folder", str(tmp_path / "files"), "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["real_precision.py", *arguments])
    real_precision.main()
    table = (tmp_path / "files" / "results.md").read_text()
    assert capsys.readouterr().out.endswith(table)
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert header == list(real_precision.COLUMNS)
    assert [row[:3] for row in rows] == [["small", "fcn", precision] for precision in real_precision.PRECISIONS]
    val = keras_hrnet.data.camvid(camvid_root, "val")
    expected = keras_hrnet.evaluate(keras_hrnet.optimize_for_inference(model, dtype="float32"), val)
    assert rows[0][5:8] == ["100.00", f"{100 * expected.mean_iou:.2f}", "+0.00"]
    assert all(abs(float(row[7])) < 2 for row in rows)
    assert all(re.fullmatch(rf"({'|'.join(CAMVID.classes.names)}) [+-]\d+\.\d\d", row[8]) for row in rows)
    assert all(row[9:11] == ["100 % in 1", "100 % in 1"] for row in rows)
    assert all(row[11].isdecimal() for row in rows)


@pytest.mark.slow
def test_a_file_that_is_refused_has_a_row(benchmark_script, camvid_root, tmp_path, monkeypatch):
    real_precision = benchmark_script("real_precision")
    image = keras.Input((None, None, 3))
    # The first layer adds the same large number to all channels, and the second one subtracts it. Integers with the
    # range of the large number lose the small differences between channels.
    centering = np.eye(NUM_CLASSES) - 1 / NUM_CLASSES
    x = keras.layers.Conv2D(NUM_CLASSES, 1, name="first")(image)
    model = Network(image, keras.layers.Conv2D(NUM_CLASSES, 1, name="last_layer_0")(x), name="small")
    first, last = model.get_layer("first"), model.get_layer("last_layer_0")
    first.set_weights([first.get_weights()[0] + 1e3, first.get_weights()[1]])
    last.set_weights([centering[None, None], last.get_weights()[1]])
    model.classes = CAMVID.classes
    model.save(tmp_path / "small.keras")
    arguments = [str(camvid_root), *[str(tmp_path / "small.keras")] * 2, "--folder", str(tmp_path / "files")]
    monkeypatch.setattr(sys, "argv", ["real_precision.py", *arguments, "--precisions", "float32", "int8"])
    old_file = real_precision.file_of(tmp_path / "files", ("1", "small", "int8"))
    old_file.parent.mkdir()
    old_file.write_bytes(b"of an earlier run")
    real_precision.main()
    assert not old_file.exists()
    rows = (tmp_path / "files" / "results.md").read_text().splitlines()[2:]
    assert ["refused: The exported file differs by" in row for row in rows] == [False, True] * 2


def test_photos_are_spread_over_the_split(benchmark_script):
    real_precision = benchmark_script("real_precision")

    import tensorflow

    def photos(number):
        pixels = np.arange(number, dtype="uint8")[:, None, None, None]
        dataset = tensorflow.data.Dataset.from_tensor_slices((pixels, pixels)).batch(1)
        return [int(image.item()) for image in real_precision.calibration_photos(dataset)]

    assert photos(6) == [*range(6)]
    assert photos(200) == [*range(0, 200, 4)]
