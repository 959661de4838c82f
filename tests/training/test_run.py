"""The folder of a run, and what `run.json` says."""

import json

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.training import RECIPES, CrossEntropy, read_run
from keras_hrnet.training.run import describe_run, open_folder, weights_hash, write_run

pytestmark = pytest.mark.once

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
BATCHES = [(np.zeros((2, 32, 32, 3), "uint8"), np.zeros((2, 32, 32), "uint8"))]


def description(**changes):
    run = {
        "recipe": "own", "settings": {"source": "x", "epochs": 3, "crop_size": (4, 8)}, "loss": None, "seed": 0,
        "network": {"name": "Tiny", "num_weights": 9, "first_weights": "ab"}, "train": {"batches": 5},
        "val": {"batches": 2}, "backend": "torch", "notes": None, "versions": {}, "started": "now",
    }  # fmt: skip
    return {**run, **changes}


def opened(run_dir, run):
    with open_folder(run_dir, run) as (folder, known):
        return folder.as_posix(), known


def test_a_folder_is_numbered_where_none_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "Tiny-own-2").mkdir(parents=True)
    with open_folder(None, description()) as (folder, known):
        assert (folder.as_posix(), known) == ("runs/Tiny-own-1", description())
        assert read_run(folder)["settings"].epochs == 3
    write_run("runs/Tiny-own-1", {**description(), "result": {}})
    assert opened(None, description())[0] == "runs/Tiny-own-3"


def test_the_unfinished_run_is_found_where_no_folder_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert opened(None, description(seed=1))[0] == "runs/Tiny-own-1"
    assert opened(None, description(started="first"))[0] == "runs/Tiny-own-2"
    folder, known = opened(None, description(started="again"))
    assert (folder, known["started"]) == ("runs/Tiny-own-2", "first")
    other_weights = {"name": "Tiny", "num_weights": 9, "first_weights": "cd"}
    assert opened(None, description(network=other_weights))[0] == "runs/Tiny-own-3"


def test_a_folder_of_the_same_run_is_opened_again(tmp_path):
    first = description(started="first")
    assert opened(tmp_path, first) == (tmp_path.as_posix(), first)
    weights_may_differ = {"name": "Tiny_1", "num_weights": 9, "first_weights": "cd"}
    _, known = opened(tmp_path, description(network=weights_may_differ, versions={"keras": "4"}))
    assert known["started"] == "first"


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    opened(tmp_path, description())
    (tmp_path / ".resume-part-0123abcd.npz").touch()
    opened(tmp_path, description())
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["run.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "of seed=0, for one of seed=1"),
        ({"settings": {"source": "x", "epochs": 4}}, "of settings.epochs=3, for one of settings.epochs=4"),
        ({"network": {"num_weights": 8}}, "network.num_weights=9"),
        ({"train": {"batches": 6}}, "train.batches=5"),
        ({"loss": {"class_name": "CrossEntropy"}}, "of loss=None, for one of loss=None|loss.class_name"),
        ({"backend": "jax"}, "of backend='torch', for one of backend='jax'"),
    ],
    ids=range(6),
)
def test_a_folder_with_another_run_is_refused(change, message, tmp_path):
    opened(tmp_path, description())
    with pytest.raises(ValueError, match=rf"holds a training already, .*{message}.*Expected an empty folder"):
        opened(tmp_path, description(**change))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"a file. Expected a folder"):
        opened(tmp_path / "file", description())


def test_a_run_is_read_as_it_was_written(tmp_path):
    model = keras_hrnet.HRNet(TINY, 3)
    recipe = RECIPES["fine_tuning"]
    common = {"name": "fine_tuning", "given": ["epochs"], "seed": 3, "notes": {"network": "Tiny"}}
    run = describe_run(model, BATCHES, BATCHES, recipe, loss=CrossEntropy(), **common)
    write_run(tmp_path, run)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
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
