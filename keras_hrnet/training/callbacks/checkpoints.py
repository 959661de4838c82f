"""Saves the best and the last network of a run, as files that are always complete."""

import contextlib
import json
import math
import os
import pathlib
import time
from collections.abc import Callable

import keras

from keras_hrnet.distributed.distribution import undistributed
from keras_hrnet.distributed.processes import this_process
from keras_hrnet.replacing import replacing
from keras_hrnet.training.callbacks.averaging import averaged_weights


class Checkpoints(keras.callbacks.Callback):
    """Saves the network after each epoch, and separately the best one.

    `last.keras` holds the weights as trained, and the optimizer with its averages. `fit` resumes from it, except for
    seeds and the order of the data; see `Saves`. `best.keras` is the network of the epoch with the highest score; if
    the optimizer has `use_ema=True`, it holds the averaged weights. Its score is in `best.json`, so that a resumed run
    replaces it only with a better network. A process that is killed leaves complete files. If several processes train
    together, each needs this callback, and the first one writes.

    Args:
        folder: folder to write to; it is created if it does not exist.
        monitor: the name in the logs of a score where higher is better. NaN is never best.
        minutes: minimum time between saves of `last.keras`; the last epoch is always saved, and with 0, every epoch.
        clock: a function that returns a time in seconds.
        averaged: a context manager that assigns averaged weights to the model, such as `AveragedWeights.in_model`; None
            uses `averaged_weights`.

    Raises:
        ValueError: if `monitor` is a loss, if `folder` holds a best network that another score selected, or, after an
            epoch, if the logs have no such name.

    Example:

    ```python
    model.fit(train, validation_data=val, epochs=484, callbacks=[Checkpoints("runs/first")])
    model = keras.models.load_model("runs/first/best.keras")
    ```
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        monitor: str = "val_mean_iou",
        minutes: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        averaged: Callable[[], contextlib.AbstractContextManager] | None = None,
    ):
        super().__init__()
        if "loss" in monitor:
            raise ValueError(
                f"Received monitor={monitor!r}. Expected a score where higher is better. Pass "
                "monitor='val_mean_iou', or use keras.callbacks.ModelCheckpoint."
            )
        self.folder = pathlib.Path(folder)
        self.monitor = monitor
        self.best = _best_score(self.folder, monitor)
        self.minutes = minutes
        self.clock = clock
        self.saved = clock()
        self.averaged = averaged or (lambda: averaged_weights(self.model))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        score = self._score(logs or {})
        if self.clock() - self.saved >= 60 * self.minutes or self._is_last(epoch):
            self._save("last.keras")
            self.saved = self.clock()
        if score is not None and score > self.best:
            with self.averaged():
                self._save("best.keras")
            if this_process().is_first:
                with replacing(self.folder / "best.json") as part:
                    part.write_text(json.dumps({"epoch": epoch, self.monitor: score}))
            self.best = score

    def _is_last(self, epoch):
        return self.model.stop_training or epoch + 1 == self.params["epochs"]

    def _score(self, logs):
        if self.monitor in logs:
            return float(logs[self.monitor])
        is_validated = any(name.startswith("val_") for name in logs)
        if is_validated or not self.monitor.startswith("val_"):
            raise ValueError(
                f"Received logs with {', '.join(sorted(logs))}. Expected {self.monitor!r}, which Checkpoints monitors. "
                "Compile the model with that metric, or pass one of these names as monitor."
            )
        return None

    def _save(self, name):
        if this_process().is_first:
            with replacing(self.folder / name) as part, undistributed():
                self.model.save(part)


def _best_score(folder, monitor):
    """Returns the score of the best network in a folder, or minus infinity."""
    path = folder / "best.json"
    if not path.is_file() or not (folder / "best.keras").is_file():
        return -math.inf
    try:
        best = json.loads(path.read_text())
        scores = {name: float(value) for name, value in best.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{str(path)!r} is damaged ({error}). Expected the score of the best.keras next to it. Move both files "
            "away; the best network is then selected from the remaining epochs."
        ) from error
    if monitor not in scores:
        raise ValueError(
            f"Received monitor={monitor!r} for the folder {str(folder)!r}, whose best network was selected by "
            f"{', '.join(sorted(scores.keys() - {'epoch'}))}. Expected the same score. Pass that monitor, or another "
            "folder."
        )
    return scores[monitor]
