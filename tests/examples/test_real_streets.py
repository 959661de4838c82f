"""The comparison on real streets: its networks, what it counts, and its tables, on drawn data."""

import json
import math
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet.data_sets import DATA_SETS

pytestmark = pytest.mark.once

CAMVID = DATA_SETS["camvid"]
NUM_CLASSES = len(CAMVID.classes.names)


@pytest.mark.parametrize(("filters", "millions"), [(16, 1.9), (32, 7.8), (64, 31.0)])
def test_a_unet_has_the_parameters_of_its_name(benchmark_script, filters, millions):
    model = benchmark_script("street_networks").unet(filters)(11)
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert trainable / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_padded_network_gives_a_logit_for_each_pixel(benchmark_script):
    networks = benchmark_script("street_networks")
    model = networks.unet(2)(5)
    image = np.random.default_rng(0).integers(0, 256, (1, 33, 50, 3)).astype("float32")
    logits = keras.ops.convert_to_numpy(model(image))
    assert logits.shape == (1, 33, 50, 5)
    assert model.output_shape == (None, None, None, 5)
    # What is padded is the mean color, and what is cut away is what was padded.
    by_hand = np.broadcast_to(np.array([0.485, 0.456, 0.406]) * 255, (1, 48, 64, 3)).astype("float32")
    by_hand = np.array(by_hand)
    by_hand[:, :33, :50] = image
    np.testing.assert_allclose(logits, keras.ops.convert_to_numpy(model(by_hand))[:, :33, :50], atol=1e-4)


def test_a_network_at_half_size_gives_a_logit_for_each_pixel(benchmark_script):
    model = benchmark_script("street_networks").NETWORKS["HRNetW18Small-half"](5)
    assert model(np.zeros((1, 33, 50, 3), "float32")).shape == (1, 33, 50, 5)
    (whole,) = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert whole.name == "HRNetW18Small"


@pytest.mark.slow
def test_deeplab_gives_a_logit_for_each_pixel(benchmark_script):
    model = benchmark_script("street_networks").deeplab_v3_plus(11)
    # KerasHub says 39.2 million of its preset without the logits.
    assert model.count_params() / 1e6 == pytest.approx(39.2, abs=0.6)
    assert model(np.zeros((1, 40, 70, 3), "float32")).shape == (1, 40, 70, 11)


def test_multiplications_are_counted_from_a_file(benchmark_script, tmp_path):
    image = keras.Input((16, 24, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = keras.layers.Conv2DTranspose(5, 2, strides=2)(x)
    keras_hrnet.export_tflite(keras.Model(image, x), tmp_path / "x.tflite", image_size=(16, 24))
    expected = 16 * 24 * 4 * 27 + 8 * 12 * 4 * 9 + 8 * 12 * 4 * 5 * 4
    assert benchmark_script("real_streets").multiplications(tmp_path / "x.tflite") == expected


def test_networks_with_and_without_integers_are_plotted(benchmark_script, tmp_path):
    def result(score, int8):
        runs = [{"parameters": 1.5e6, "mean_iou": score}]
        return {"runs": runs, "multiplications": 6e8, "milliseconds": 8.0, "int8": int8}

    integers = {"mean_iou": 0.49, "milliseconds": 4.0}
    found = {"A": result(0.5, integers), "B": result(0.4, {"refused": "too large"}), "C": result(0.3, None)}
    benchmark_script("real_streets").plot({"5 minutes": found}, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.size[0] > image.size[1] > 300


def test_the_front_has_what_no_cheaper_network_reaches(benchmark_script):
    points = [(3.0, 60.0), (1.0, 50.0), (2.0, 45.0), (1.0, 48.0), (4.0, 60.0), (5.0, 70.0)]
    assert benchmark_script("real_streets").pareto_front(points) == [(1.0, 50.0), (3.0, 60.0), (5.0, 70.0)]


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_networks_are_compared_and_not_trained_twice(benchmark_script, camvid_root, tmp_path, monkeypatch):
    script, networks = benchmark_script("real_streets"), benchmark_script("street_networks")
    folder = tmp_path / "comparison"

    def small(num_classes):
        return networks.padded_network("Small", convolve, num_classes, multiple=16)

    def convolve(x, num_classes):
        return keras.layers.Conv2D(num_classes, 3, padding="same")(x)

    monkeypatch.setattr(script, "NETWORKS", {"Small": small})
    options = "--steps 4 --trial-steps 2 --crop 32 32 --batch 2 --rates 1e-6 0.02 --rounds 1 --minutes 1e-4"
    options += " --int8 --validations 1 --shrink 2"
    monkeypatch.setattr(sys, "argv", ["real_streets.py", str(camvid_root), str(folder), *options.split()])
    script.main()
    text = (folder / "results.md").read_text()
    assert [line.split(" |")[0] for line in text.splitlines()] == [
        *("4 steps each:", "", "| network", "| ---", "| Small", ""),
        *("0.0001 minutes each:", "", "| network", "| ---", "| Small"),
    ]
    results, rows = (json.loads((folder / name).read_text()) for name in ("results.json", "rows.json"))
    (run,) = results["4 steps"]["Small"]["runs"]
    assert run["steps"] == 4 and run["parameters"] < 10000 and 0 <= run["mean_iou"] <= 1
    assert {"Pole", "SignSymbol", "Pedestrian"} < set(run)
    trials = {rate: rows["rows"][f"Small, rate {rate:g}"]["mean_iou"] for rate in (1e-6, 0.02)}
    assert run["learning_rate"] == max(trials, key=trials.get)
    assert results["4 steps"]["Small"]["milliseconds"] > 0
    assert results["4 steps"]["Small"]["multiplications"] > 0
    assert (folder / "results.png").read_bytes().startswith(b"\x89PNG")

    def fail(*arguments, **options):
        raise AssertionError("It trained again.")

    monkeypatch.setattr(keras_hrnet, "train", fail)
    script.main()
    assert (folder / "results.md").read_text().splitlines()[4].split("|")[:8] == text.splitlines()[4].split("|")[:8]
    monkeypatch.setattr(sys, "argv", ["real_streets.py", str(camvid_root), str(folder), "--batch", "4"])
    with pytest.raises(SystemExit, match="whose results were measured with"):
        script.main()
