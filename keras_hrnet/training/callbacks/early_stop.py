"""Stops a run when validation no longer improves."""

import math
import os
import pathlib

import keras

from keras_hrnet.training.callbacks.log import read_log


class EarlyStop(keras.callbacks.Callback):
    """Stops `fit` after a number of consecutive validations without an improvement over the best one.

    When a run is resumed, it reads earlier validations from the log. Place it before `Checkpoints`, which saves the
    last network of the run.

    Args:
        patience: number of validations.
        log_csv: the file of `Log`.
        monitor: the name in the logs of a score where higher is better. NaN is never better.
    """

    def __init__(self, patience: int, log_csv: str | os.PathLike, monitor: str = "val_mean_iou"):
        super().__init__()
        self.patience = patience
        self.log_csv = pathlib.Path(log_csv)
        self.monitor = monitor
        self.scores = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.scores is None:
            log = read_log(self.log_csv) if self.log_csv.is_file() else {}
            pairs = zip(log.get("epoch", ()), log.get(self.monitor, ()), strict=False)
            self.scores = [score for earlier, score in pairs if earlier < epoch and math.isfinite(score)]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if not math.isfinite((logs or {}).get(self.monitor, math.nan)):
            return
        self.scores.append(logs[self.monitor])
        if len(self.scores) - 1 - self.scores.index(max(self.scores)) >= self.patience:
            self.model.stop_training = True
