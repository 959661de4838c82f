"""Stops training with an error when the loss is no longer a finite number."""

import math
import os
import pathlib
from collections.abc import Callable

import keras

ADVICE = (
    "Lower the learning rate, lengthen the warm-up or clip gradients (global_clipnorm); in mixed precision, try "
    "bfloat16 or float32."
)


class StopAtNaN(keras.callbacks.Callback):
    """Raises an error as soon as the training or validation loss is NaN or infinite.

    `keras.callbacks.TerminateOnNaN` checks only training steps, and either ends as if training had succeeded or does
    not state where earlier weights are. Place this callback before `Checkpoints`, so that no NaN weights are saved.

    Args:
        checkpoint: the file that `Checkpoints` or `Saves` writes, for the message. None means that there is none.
        describe: a function that names the step for the message, given the indices of the epoch and of the batch in it,
            both from 0. None means that epochs begin with their first step.
        fault: a function of the same arguments that states what in the data makes the loss NaN, or returns None if it
            finds nothing.

    Raises:
        RuntimeError: out of `fit`, if the loss is not finite.
        ValueError: out of `fit`, if all pixels of the training or validation data are ignored, so that `mean_iou` is
            NaN.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike | None = None,
        describe: Callable[[int, int], str] | None = None,
        fault: Callable[[int, int], str | None] = lambda epoch, batch: None,
    ):
        super().__init__()
        self.fault = fault
        self.checkpoint = None if checkpoint is None else pathlib.Path(checkpoint)
        self.describe = describe or (lambda epoch, batch: f"step {batch + 1} of epoch {epoch + 1}")
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # This is the mean loss since the start of the epoch; once it is NaN, it stays NaN.
        if not math.isfinite(logs["loss"]):
            fault = self.fault(self.epoch, batch)
            self._raise(
                "loss",
                logs["loss"],
                self.describe(self.epoch, batch),
                fault and f"In the data, {fault}. Correct the data.",
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        for name, data in (("mean_iou", "training"), ("val_mean_iou", "validation")):
            if math.isnan(logs.get(name, 0)):
                raise ValueError(
                    f"Received {name}=nan in epoch {epoch + 1}: all pixels of the {data} data are ignored. Expected "
                    "labels that are classes. Check the masks, ignore_label (--ignore-label) and id_map (--id-map)."
                )
        if not math.isfinite(logs.get("val_loss", 0)):
            self._raise("val_loss", logs["val_loss"], f"the validation of epoch {epoch + 1}")

    def _raise(self, name, value, moment, advice=None):
        raise RuntimeError(
            f"Received {name}={value} in {moment}. Expected a finite number. {self._last_good()}{advice or ADVICE}"
        )

    def _last_good(self):
        if self.checkpoint is None or not self.checkpoint.is_file():
            return "No checkpoint was written before. "
        return f"The last good checkpoint is {str(self.checkpoint)!r}. "
