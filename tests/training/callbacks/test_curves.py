"""The log that Keras writes, read back and drawn."""

import math

import numpy as np
import PIL.Image
import pytest
from keras.callbacks import CSVLogger

from keras_hrnet.training.callbacks import Curves
from keras_hrnet.training.callbacks.curves import draw_curves
from keras_hrnet.training.callbacks.log import read_log

pytestmark = pytest.mark.once


def write(path, *epochs, append=False):
    logger = CSVLogger(path, append=append)
    logger.on_train_begin()
    for epoch, logs in epochs:
        logger.on_epoch_end(epoch, logs)
    logger.on_train_end()


def logs(loss, **others):
    return {"loss": loss, "mean_iou": 0.2, "learning_rate": 0.01, **others}


def drawn(figure):
    """Returns the lines of each panel by its title: label, epochs and values."""
    return {
        axes.get_title(loc="left"): [(line.get_label(), line.get_xdata(), line.get_ydata()) for line in axes.lines]
        for axes in figure.axes
    }


def test_the_log_of_a_continued_run_is_one_run(tmp_path):
    path = tmp_path / "log.csv"
    write(path, (0, logs(3.0, val_loss=4.0)), (1, logs(2.0, val_loss=3.5)), (2, logs(9.0, val_loss=9.0)))
    write(path, (2, logs(1.0, val_loss=3.0)), (3, logs(0.5, val_loss=2.5)), append=True)
    log = read_log(path)
    assert log["epoch"] == [0, 1, 2, 3]
    assert log["loss"] == [3.0, 2.0, 1.0, 0.5]
    assert log["val_loss"] == [4.0, 3.5, 3.0, 2.5]


def test_an_epoch_without_validation_is_nan(tmp_path):
    write(tmp_path / "log.csv", (0, logs(3.0)), (1, logs(2.0, val_loss=1.0)))
    assert math.isnan(read_log(tmp_path / "log.csv")["val_loss"][0])
    assert read_log(tmp_path / "log.csv")["val_loss"][1] == 1.0


def test_each_panel_shows_the_values_of_its_epochs():
    log = {
        "epoch": [0.0, 1.0, 2.0],  # As the log is read.
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [math.nan, 2.5, math.nan],
        "mean_iou": [0.1, 0.2, 0.3],
        "val_mean_iou": [0.15, 0.35, 0.25],
        "learning_rate": [0.03, 0.02, 0.01],
    }
    panels = drawn(draw_curves(log))
    assert list(panels) == ["loss", "mean IoU", "learning rate"]
    (_, epochs, losses), (_, validated, val_losses) = panels["loss"]
    assert (list(epochs), list(losses)) == ([1, 2, 3], [3.0, 2.0, 1.0])
    assert (list(validated), list(val_losses)) == ([2], [2.5])
    label, epoch, score = panels["mean IoU"][2]
    assert (label, list(epoch), list(score)) == ("best: 0.3500, epoch 2", [2], [0.35])
    assert list(panels["learning rate"][0][2]) == [0.03, 0.02, 0.01]


@pytest.mark.parametrize("num_epochs", [1, 2, 5])
def test_epochs_are_whole_numbers(num_epochs):
    (axes,) = draw_curves({"epoch": range(num_epochs), "loss": [1.0] * num_epochs}).axes
    left, right = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
    assert ticks == list(range(1, num_epochs + 1))


def test_a_panel_without_values_is_left_out():
    assert list(drawn(draw_curves({"epoch": [0], "loss": [1.0], "mean_iou": [math.nan]}))) == ["loss"]


def test_the_picture_is_drawn_anew_after_each_epoch(tmp_path):
    curves = Curves(tmp_path / "log.csv", tmp_path / "pictures" / "curves.png")
    pictures = []
    for epoch in range(2):
        write(tmp_path / "log.csv", (epoch, logs(3.0 - epoch)), append=True)
        curves.on_epoch_end(epoch)
        with PIL.Image.open(tmp_path / "pictures" / "curves.png") as picture:
            pictures.append(np.array(picture))
    assert pictures[0].shape == (1080, 960, 4)
    assert (pictures[0] != pictures[1]).any()
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["curves.png"]


def test_pyplot_is_left_alone():
    from matplotlib import pyplot

    draw_curves({"epoch": [0], "loss": [1.0]})
    assert pyplot.get_fignums() == []


def test_a_missing_log_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"log\.csv'\. Expected a file that .*\.callbacks\.Log writes\."):
        Curves(tmp_path / "log.csv", tmp_path / "curves.png").on_epoch_end(0)
