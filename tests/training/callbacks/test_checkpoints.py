"""best.keras and last.keras: which epoch is in them, and that they are never half a file."""

import json

import pytest

from keras_hrnet.training.callbacks import Checkpoints

pytestmark = pytest.mark.once


def run(folder, model, scores, **options):
    callback = Checkpoints(folder, **options)
    callback.set_model(model)
    callback.set_params({"epochs": len(scores)})
    for epoch, score in enumerate(scores):
        model.name = f"epoch {epoch}"
        callback.on_epoch_end(epoch, {"loss": 1.0} if score is None else {"loss": 1.0, "val_mean_iou": score})


def test_the_best_is_that_of_the_highest_score_and_the_first_of_equals(tmp_path, saves_a_name):
    run(tmp_path / "new", saves_a_name, [0.1, 0.3, 0.2, 0.3])
    assert (tmp_path / "new" / "best.keras").read_text() == "epoch 1"
    assert (tmp_path / "new" / "last.keras").read_text() == "epoch 3"
    assert json.loads((tmp_path / "new" / "best.json").read_text()) == {"epoch": 1, "val_mean_iou": 0.3}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["best.json", "best.keras", "last.keras"]


def test_nan_and_no_score_are_never_best(tmp_path, saves_a_name):
    run(tmp_path, saves_a_name, [float("nan"), None])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.keras"]
    run(tmp_path, saves_a_name, [0.0, float("nan"), None])
    assert (tmp_path / "best.keras").read_text() == "epoch 0"


def test_a_continued_run_replaces_the_best_only_by_a_better_one(tmp_path, saves_a_name):
    run(tmp_path, saves_a_name, [0.1, 0.5])
    run(tmp_path, saves_a_name, [0.4])
    assert (tmp_path / "best.keras").read_text() == "epoch 1"
    run(tmp_path, saves_a_name, [0.4, 0.2, 0.6])
    assert (tmp_path / "best.keras").read_text() == "epoch 2"


def test_a_score_without_its_network_is_forgotten(tmp_path, saves_a_name):
    run(tmp_path, saves_a_name, [0.5])
    (tmp_path / "best.keras").unlink()
    run(tmp_path, saves_a_name, [0.4])
    assert (tmp_path / "best.keras").read_text() == "epoch 0"


def test_the_last_network_is_written_at_most_every_so_often_and_at_the_end(tmp_path, saves_a_name):
    minutes, written = [0], []

    def clock():
        return 60 * minutes[0]

    callback = Checkpoints(tmp_path, minutes=10, clock=clock)
    callback.set_model(saves_a_name)
    callback.set_params({"epochs": 6})
    for epoch, minutes[0] in enumerate((4, 9, 10, 19, 20, 21)):
        saves_a_name.name = f"epoch {epoch}"
        callback.on_epoch_end(epoch, {"loss": 1.0})
        path = tmp_path / "last.keras"
        written.append(path.read_text() if path.exists() else None)
    assert written == [None, None, "epoch 2", "epoch 2", "epoch 4", "epoch 5"]


def test_an_end_in_the_middle_of_writing_leaves_the_file_of_before(tmp_path, saves_a_name, monkeypatch):
    run(tmp_path, saves_a_name, [0.1])

    def save(path):
        path.write_text("hal")
        raise KeyboardInterrupt

    monkeypatch.setattr(saves_a_name, "save", save)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, saves_a_name, [0.9])
    assert {path.name: path.read_text() for path in tmp_path.glob("*.keras")} == {
        "best.keras": "epoch 0",
        "last.keras": "epoch 0",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.json", "best.keras", "last.keras"]


def test_a_loss_is_refused():
    with pytest.raises(ValueError, match=r"monitor='val_loss'\. Expected a score where higher is better"):
        Checkpoints("anywhere", monitor="val_loss")


def test_a_misspelt_score_is_refused_with_the_names_that_there_are(tmp_path, saves_a_name):
    with pytest.raises(ValueError, match=r"logs with loss, val_mean_iou\. Expected 'val_miou'"):
        run(tmp_path, saves_a_name, [0.5], monitor="val_miou")
    with pytest.raises(ValueError, match=r"logs with loss\. Expected 'accuracy'"):
        run(tmp_path, saves_a_name, [None], monitor="accuracy")


def test_a_folder_with_the_best_by_another_score_is_refused(tmp_path, saves_a_name):
    run(tmp_path, saves_a_name, [0.5])
    with pytest.raises(
        ValueError, match=r"monitor='mean_iou' for the folder .* best network was selected by val_mean_iou"
    ):
        Checkpoints(tmp_path, monitor="mean_iou")


@pytest.mark.parametrize("text", ["", "[]", '{"epoch": 1, "val_mean_iou": "high"}', "[" * 100_000])
def test_a_damaged_score_of_the_best_is_named_with_its_file(tmp_path, saves_a_name, text):
    run(tmp_path, saves_a_name, [0.5])
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(ValueError, match=r"best\.json' is damaged .*Expected the score of the best\.keras"):
        Checkpoints(tmp_path)
    assert (tmp_path / "best.keras").is_file()
