"""Averaged weights where a network is scored, and its own where it is trained."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the optimizer's moving average of the weights into a compiled model for a while.

    Without an optimizer of `use_ema=True`, or before its first step, nothing changes. Batch normalisation keeps its
    moving statistics, those of the weights as trained: Keras averages trained weights only. While weights move fast,
    the two do not match, and the averages score lower than what they average; at the end of a schedule, when weights
    hardly move, they match.
    """
    if not _has_averages(model):
        yield
        return
    own = _host_values(model)
    _assign_averages(model)
    try:
        yield
    finally:
        _assign(model, own)


class AveragedWeights(keras.callbacks.Callback):
    """Validates with the optimizer's moving average of the weights, and leaves it in the model at the end of `fit`.

    Training continues with the weights themselves, to the last bit as without validation. `keras.callbacks.
    SwapEMAWeights` is not used: on TensorFlow it swaps by adding and subtracting, which rounds; it ends with the wrong
    weights if `fit` is stopped early; and its files do not say which weights are which.

    It comes before the callbacks that use the model, and does nothing without an optimizer of `use_ema=True`.

    With `gradient_accumulation_steps`, Keras's optimizers average after every batch, `keras_hrnet.training.SGD` after
    every update. Batch normalisation's statistics are those of the latest steps: see `averaged_weights`.

    Example:

    ```python
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, use_ema=True, ema_momentum=0.999)
    model.compile(optimizer, loss)
    model.fit(train, validation_data=val, callbacks=[AveragedWeights(), Checkpoints("runs/first")])
    ```
    """

    def __init__(self):
        super().__init__()
        self.averaged = contextlib.ExitStack()

    def on_test_begin(self, logs: dict | None = None) -> None:
        self.averaged.enter_context(averaged_weights(self.model))

    def on_test_end(self, logs: dict | None = None) -> None:
        self.averaged.close()

    def on_train_end(self, logs: dict | None = None) -> None:
        # Keras put the averages in. On JAX model and optimizer then share buffers, and another `fit` would fail:
        # "Attempt to donate the same buffer twice".
        if _has_averages(self.model):
            _assign_averages(self.model)


def _has_averages(model):
    optimizer = getattr(model, "optimizer", None)
    # In float16, Keras wraps the optimizer into one that scales the loss.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return optimizer is not None and optimizer.use_ema and optimizer.built


def _assign_averages(model):
    model.optimizer.finalize_variable_values(model.trainable_variables)
    _assign(model, _host_values(model))


def _host_values(model):
    # A copy: what `convert_to_numpy` gives may share memory with the variable.
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.trainable_variables]


def _assign(model, values):
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
