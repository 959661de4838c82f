"""Handles a full disk: prints a warning and continues training, or stops."""

import contextlib
import errno
import warnings
from collections.abc import Iterator

import keras

from keras_hrnet.replacing import is_out_of_room


@contextlib.contextmanager
def reporting_full_disk(activity: str, stop: bool = False) -> Iterator[None]:
    """Turns the error of a full disk into a warning.

    Args:
        activity: the activity inside the block, for the message.
        stop: whether to raise an error instead of a warning.

    Raises:
        OSError: if the disk is full and `stop` is set.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_room(error):
            raise
        message = f"The disk is full: {activity} failed ({error}). Earlier files are kept. Free some space"
        if stop:
            raise OSError(errno.ENOSPC, f"{message}, and run the same command again.") from error
        warnings.warn(f"{message}; training continues.", stacklevel=3)


class DespiteFullDisk(keras.callbacks.Callback):
    """Warns when another callback fails at the end of an epoch because the disk is full.

    Args:
        callback: the other callback, which writes in `on_epoch_end` and `on_train_end`.
        stop: whether a full disk stops the training.
    """

    def __init__(self, callback: keras.callbacks.Callback, stop: bool = False):
        super().__init__()
        self.callback = callback
        self.stop = stop

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self.callback.set_model(model)

    def set_params(self, params: dict) -> None:
        super().set_params(params)
        self.callback.set_params(params)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.callback.on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        with reporting_full_disk(f"{type(self.callback).__name__} in epoch {epoch + 1}", self.stop):
            self.callback.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        with reporting_full_disk(f"the end of {type(self.callback).__name__}", self.stop):
            self.callback.on_train_end(logs)
