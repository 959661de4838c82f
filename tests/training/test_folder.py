"""The folder of a run: free, of the same run, or refused."""

import dataclasses
import json

import pytest

from keras_hrnet.training import Recipe, read_run
from keras_hrnet.training.folder import open_folder
from keras_hrnet.training.run import write_run

pytestmark = pytest.mark.once


def settings(**changes):
    return dataclasses.asdict(Recipe(**{"source": "x", "epochs": 3, "crop_size": (4, 8), **changes}))


def description(**changes):
    run = {
        "recipe": "own", "settings": settings(), "loss": None, "seed": 0,
        "network": {"name": "Tiny", "num_weights": 9, "first_weights": "ab"}, "train": {"batches": 5},
        "val": {"batches": 2}, "backend": "torch", "notes": None, "versions": {}, "started": "now", "ignore_label": 255,
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
        ({"seed": 1}, "seed=0, for a run with seed=1"),
        ({"settings": settings(epochs=4)}, "epochs=3, for a run with epochs=4"),
        ({"settings": settings(epochs=4, learning_rate=0.5)}, "learning_rate=0.01, for a run with learning_rate=0.5"),
        ({"network": {"num_weights": 8}}, "network.num_weights=9"),
        ({"train": {"batches": 6}}, "train.batches=5"),
        ({"loss": {"class_name": "CrossEntropy"}}, "loss=None, for a run with loss=None|loss.class_name"),
        ({"backend": "jax"}, "backend='torch', for a run with backend='jax'"),
        ({"ignore_label": 254}, "ignore_label=255, for a run with ignore_label=254"),
    ],
    ids=range(8),
)
def test_a_folder_with_another_run_is_refused(change, message, tmp_path):
    opened(tmp_path, description())
    with pytest.raises(ValueError, match=rf"already holds a run with .*{message}.*Expected an empty folder"):
        opened(tmp_path, description(**change))


@pytest.mark.parametrize(("part", "name"), [("train", "training data"), ("val", "validation data")])
def test_a_folder_with_a_run_on_other_files_is_refused(part, name, tmp_path):
    opened(tmp_path, description())
    changed = description(**{part: {**description()[part], "fingerprint": "another"}})
    with pytest.raises(
        ValueError, match=rf"holds a run with other {name}: files were .* Restore them, or pass an empty"
    ):
        opened(tmp_path, changed)


def test_a_run_that_says_nothing_of_ignored_pixels_is_opened_again(tmp_path):
    # Version 0.1.0 had no other label than 255.
    before = description(started="first")
    del before["ignore_label"]
    (tmp_path / "run.json").write_text(json.dumps(before))
    assert opened(tmp_path, description())[1]["started"] == "first"
    with pytest.raises(ValueError, match="ignore_label=255, for a run with ignore_label=254"):
        opened(tmp_path, description(ignore_label=254))


def test_a_run_of_before_there_was_a_setting_is_opened_again(tmp_path):
    before = {name: value for name, value in settings().items() if name != "optimizer"}
    (tmp_path / "run.json").write_text(json.dumps(description(started="first", settings=before)))
    assert opened(tmp_path, description())[1]["started"] == "first"
    with pytest.raises(ValueError, match=r"optimizer='sgd', for a run with optimizer='adamw'"):
        opened(tmp_path, description(settings=settings(optimizer="adamw")))


def test_a_reworded_source_is_no_other_run(tmp_path):
    opened(tmp_path, description(started="first"))
    assert opened(tmp_path, description(settings=settings(source="y")))[1]["started"] == "first"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"a file. Expected a folder"):
        opened(tmp_path / "file", description())


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "3", '{"settings": {}, "network": []}', "\0"], ids=range(5))
def test_what_else_lies_in_runs_keeps_no_run_from_beginning(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "Tiny-own-1").mkdir(parents=True)
    (tmp_path / "runs" / "Tiny-own-1" / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"Tiny-own-1/run\.json does not describe a run"):
        read_run("runs/Tiny-own-1")
    assert opened(None, description())[0] == "runs/Tiny-own-2"
