"""The table of a run: one row an epoch, whatever was interrupted."""

import csv

import pytest

from keras_hrnet.training.callbacks import Log
from keras_hrnet.training.callbacks.log import read_log

pytestmark = pytest.mark.once


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_epochs_without_a_validation_have_its_columns(tmp_path):
    path = tmp_path / "log.csv"
    Log(path).on_epoch_end(0, {"loss": 3.0, "mean_iou": 0.25})
    Log(path).on_epoch_end(1, {"loss": 2.0, "val_loss": 2.5, "mean_iou": 0.5})
    Log(path).on_epoch_end(2, {"loss": 1.0, "mean_iou": 0.75})
    assert path.read_text().splitlines()[0] == "epoch,loss,mean_iou,val_loss"
    assert [row["val_loss"] for row in rows(path)] == ["NA", "2.5", "NA"]
    assert read_log(path)["loss"] == [3.0, 2.0, 1.0]


def test_an_epoch_that_is_done_again_has_one_row(tmp_path):
    path = tmp_path / "log.csv"
    for epoch, loss in ((0, 3.0), (1, 2.0), (2, 1.5), (1, 2.25)):
        Log(path).on_epoch_end(epoch, {"loss": loss})
    assert [(row["epoch"], row["loss"]) for row in rows(path)] == [("0", "3.0"), ("1", "2.25")]


def test_numbers_are_read_back_to_the_last_bit(tmp_path):
    Log(tmp_path / "log.csv").on_epoch_end(0, {"loss": 0.1 + 0.2})
    Log(tmp_path / "log.csv").on_epoch_end(1, {"loss": 1 / 3})
    assert read_log(tmp_path / "log.csv")["loss"] == [0.1 + 0.2, 1 / 3]
