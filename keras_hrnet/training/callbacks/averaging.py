"""Validates a network with its averaged weights, and continues training with the original weights."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np

from keras_hrnet.training.callbacks.norm_statistics import NormStatistics
from keras_hrnet.training.callbacks.variables import assign, host_values, restored


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Assigns the optimizer's moving average of the weights to a compiled model, within a `with` block.

    If the optimizer does not have `use_ema=True`, or before its first step, nothing changes. Batch normalization keeps
    its moving statistics, which belong to the weights as trained, because Keras averages only trainable weights. While
    weights change quickly, the two do not match, and the averaged weights score lower than the trained ones; see
    `AveragedWeights`.
    """
    if not _has_averages(model):
        yield
        return
    with restored(model.trainable_variables):
        _assign_averages(model)
        yield


class AveragedWeights(keras.callbacks.Callback):
    """Validates with the optimizer's moving average of the weights, and leaves it in the model at the end of `fit`.

    Training continues with the original weights, bit for bit as if there had been no validation. `keras.callbacks.
    SwapEMAWeights` is not used, because on TensorFlow it swaps by adding and subtracting, which rounds; it leaves the
    wrong weights in the model if `fit` is stopped early; and its files do not state which weights they hold.

    Place it before the callbacks that use the model. It does nothing if the optimizer does not have `use_ema=True`.

    With `gradient_accumulation_steps`, Keras's optimizers average after every batch, and those of
    `keras_hrnet.training` after every update. Without `batches`, batch normalization uses the statistics of the latest
    steps, which do not match the averaged weights while weights change quickly.

    Args:
        batches: a function that yields batches of training images. Before each validation, the statistics of batch
            normalization are re-estimated over them for the averaged weights, with one forward pass per batch.

    Example:

    ```python
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, use_ema=True, ema_momentum=0.999)
    model.compile(optimizer, loss)
    averages = AveragedWeights()
    model.fit(train, validation_data=val, callbacks=[averages, Checkpoints("runs/first", averaged=averages.in_model)])
    ```
    """

    def __init__(self, batches: Callable[[], Iterable[np.ndarray]] | None = None):
        super().__init__()
        self.batches = batches
        self.norm = None
        self.statistics = None
        self.averaged = contextlib.ExitStack()

    @contextlib.contextmanager
    def in_model(self) -> Iterator[None]:
        """Assigns the averages and the statistics of the last validation to the model, within a `with` block."""
        with averaged_weights(self.model), restored(self._norm_variables()):
            self._assign_statistics()
            yield

    def on_test_begin(self, logs: dict | None = None) -> None:
        self.statistics = None
        self.averaged.enter_context(self.in_model())
        if self._norm_variables():
            self.statistics = self.norm.estimate(self.batches())

    def on_test_end(self, logs: dict | None = None) -> None:
        self.averaged.close()

    def on_train_end(self, logs: dict | None = None) -> None:
        # Keras has assigned the averages. On JAX, model and optimizer then share buffers, and another `fit` would fail:
        # "Attempt to donate the same buffer twice".
        if _has_averages(self.model):
            _assign_averages(self.model)
            self._assign_statistics()

    def _norm_variables(self):
        if self.batches is None or not _has_averages(self.model):
            return []
        if self.norm is None:
            self.norm = NormStatistics(self.model)
        return self.norm.variables

    def _assign_statistics(self):
        if self.statistics is not None:
            assign(self.norm.variables, self.statistics)


def _has_averages(model):
    optimizer = getattr(model, "optimizer", None)
    # For float16, Keras wraps the optimizer in one that scales the loss.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return optimizer is not None and optimizer.use_ema and optimizer.built


def _assign_averages(model):
    model.optimizer.finalize_variable_values(model.trainable_variables)
    assign(model.trainable_variables, host_values(model.trainable_variables))
