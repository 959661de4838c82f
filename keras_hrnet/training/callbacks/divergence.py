"""An end with an error where the loss is no number any more."""

import math
import pathlib

import keras


class StopAtNaN(keras.callbacks.Callback):
    """Raises as soon as the loss of training or validation is NaN or infinite.

    `keras.callbacks.TerminateOnNaN` looks at steps only, and either ends as if all was well or does not say where
    the weights of before are. This one comes before `Checkpoints`, so that no weights of NaN are saved.

    Args:
        checkpoint: the file that `Checkpoints` writes each epoch, for the message. None means that there is none.

    Raises:
        RuntimeError: out of `fit`, if the loss is no finite number.
    """

    def __init__(self, checkpoint=None):
        super().__init__()
        self.checkpoint = None if checkpoint is None else pathlib.Path(checkpoint)
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        # The mean since the start of the epoch: once it is NaN, it stays NaN.
        self._check("loss", logs["loss"], f"step {batch + 1} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" in logs:
            self._check("val_loss", logs["val_loss"], f"the validation of epoch {epoch + 1}")

    def _check(self, name, value, moment):
        if math.isfinite(value):
            return
        raise RuntimeError(
            f"Received {name}={value} in {moment}. Expected a finite number. {self._way_back()}Lower the learning "
            "rate, lengthen the warm-up or clip gradients (global_clipnorm); in mixed precision, try bfloat16 or "
            "float32."
        )

    def _way_back(self):
        if self.checkpoint is None or not self.checkpoint.is_file():
            return "No checkpoint was written before. "
        return f"The weights of the last good epoch are in {str(self.checkpoint)!r}. "
