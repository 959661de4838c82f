"""What `run.json` says of a training."""

import json

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.data_sets import Classes
from keras_hrnet.training import RECIPES, CrossEntropy, read_run
from keras_hrnet.training.run import describe_run, weights_hash, write_run

pytestmark = pytest.mark.once

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
BATCHES = [(np.zeros((2, 32, 32, 3), "uint8"), np.zeros((2, 32, 32), "uint8"))]


def test_a_run_is_read_as_it_was_written(tmp_path):
    model = keras_hrnet.HRNet(TINY, 3)
    model.classes = Classes(("a", "b", "c"), ignore_label=254)
    recipe = RECIPES["fine_tuning"]
    common = {
        "name": "fine_tuning",
        "given": ["epochs"],
        "chosen": {"batch_size": 2},
        "seed": 3,
        "notes": {"network": "Tiny"},
    }
    run = describe_run(model, BATCHES, BATCHES, recipe, loss=CrossEntropy(), **common)
    write_run(tmp_path, run)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    again = read_run(tmp_path / "run.json")
    assert again == read_run(tmp_path)
    assert again["settings"] == recipe
    assert (again["seed"], again["notes"], again["given"]) == (3, {"network": "Tiny"}, ["epochs"])
    assert again["chosen"] == {"batch_size": 2}
    assert again["train"]["batches"] == 1
    assert again["network"]["first_weights"] == weights_hash(model)
    assert again["loss"]["class_name"] == "CrossEntropy"
    assert again["ignore_label"] == 254
    assert again["versions"]["keras"]


def test_the_hash_of_the_weights_changes_with_one_of_them():
    model = keras_hrnet.HRNet(TINY, 3)
    before = weights_hash(model)
    assert weights_hash(model) == before
    model.get_layer("last_layer_3").bias.assign([0, 0, 1e-7])
    assert weights_hash(model) != before


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a run\.json there"):
        read_run(tmp_path)
    for text in ("{", "{}", json.dumps({"settings": {"epochs": 3}})):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(ValueError, match=r"does not describe a run"):
            read_run(tmp_path)
