"""The folder of a run, and what `run.json` says."""

import json

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.training import RECIPES, CrossEntropy, read_run
from keras_hrnet.training.run import describe_run, new_folder, weights_hash, write_run

pytestmark = pytest.mark.once

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
BATCHES = [(np.zeros((2, 32, 32, 3), "uint8"), np.zeros((2, 32, 32), "uint8"))]


def test_a_folder_is_numbered_where_none_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new_folder(None, "Tiny", "cityscapes").as_posix() == "runs/Tiny-cityscapes-1"
    assert new_folder(None, "Tiny", "cityscapes").as_posix() == "runs/Tiny-cityscapes-2"


def test_a_folder_with_a_run_is_refused(tmp_path):
    folder = new_folder(tmp_path / "a", "Tiny", "own")
    write_run(folder, {})
    with pytest.raises(ValueError, match=r"holds a training already. Expected an empty folder"):
        new_folder(folder, "Tiny", "own")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"a file. Expected a folder"):
        new_folder(tmp_path / "file", "Tiny", "own")


def test_a_run_is_read_as_it_was_written(tmp_path):
    model = keras_hrnet.HRNet(TINY, 3)
    recipe = RECIPES["fine_tuning"]
    common = {"name": "fine_tuning", "given": ["epochs"], "seed": 3, "notes": {"network": "Tiny"}}
    run = describe_run(model, BATCHES, BATCHES, recipe, loss=CrossEntropy(), **common)
    write_run(tmp_path, run)
    assert not list(tmp_path.glob("*.part"))
    again = read_run(tmp_path / "run.json")
    assert again == read_run(tmp_path)
    assert again["settings"] == recipe
    assert (again["seed"], again["notes"], again["given"]) == (3, {"network": "Tiny"}, ["epochs"])
    assert again["train"]["batches"] == 1
    assert again["network"]["first_weights"] == weights_hash(model)
    assert again["loss"]["class_name"] == "CrossEntropy"
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
        with pytest.raises(ValueError, match=r"does not describe a training"):
            read_run(tmp_path)
