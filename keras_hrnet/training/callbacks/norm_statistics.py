"""Estimates the statistics of batch normalization for weights that no step has used, such as averaged weights."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_hrnet.layers.sublayers import sublayers
from keras_hrnet.training.callbacks.variables import assign, restored


class NormStatistics:
    """Estimates the moving statistics of a network's batch normalization over batches, with its current weights.

    The statistics of each batch are averaged over the batches, as in `torch.optim.swa_utils.update_bn`. The estimation
    takes one forward pass per batch, and changes no other variable.

    Args:
        model: a built network.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        norms = [layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)]
        self.layers = [layer for layer in norms if layer.trainable]
        self.variables = [each for layer in self.layers for each in (layer.moving_mean, layer.moving_variance)]
        self._forward = None

    def estimate(self, batches: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Estimates the statistics over some batches, assigns them to `variables`, and returns them.

        Args:
            batches: images, as the network expects them; at least one batch.
        """
        sums, count = 0.0, 0
        with restored(self.model.non_trainable_variables), self._of_each_batch():
            self._forward = self._forward or _forward(self.model)
            for images in batches:
                self._forward(images)
                sums = sums + _flat(self.variables)
                count += 1
        ends = np.cumsum([int(np.prod(each.shape)) for each in self.variables])[:-1]
        parts = np.split((sums / count).astype("float32"), ends)
        values = [part.reshape(each.shape) for part, each in zip(parts, self.variables, strict=True)]
        assign(self.variables, values)
        return values

    @contextlib.contextmanager
    def _of_each_batch(self) -> Iterator[None]:
        momenta = [layer.momentum for layer in self.layers]
        for layer in self.layers:
            layer.momentum = 0.0
        try:
            yield
        finally:
            for layer, momentum in zip(self.layers, momenta, strict=True):
                layer.momentum = momentum


def _flat(variables):
    values = [np.ravel(keras.ops.convert_to_numpy(variable)) for variable in variables]
    return np.concatenate(values).astype("float64")


def _forward(model: keras.Model) -> Callable[[np.ndarray], Any]:
    """Returns a function that computes a batch as in training, and is compiled on TensorFlow and JAX."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda images: model(images, training=True), reduce_retracing=True)
    if keras.config.backend() == "jax":
        return _forward_of_jax(model)
    import torch

    def run(images: np.ndarray) -> None:
        with torch.no_grad():
            model(images, training=True)

    return run


def _forward_of_jax(model):
    import jax

    @jax.jit
    def compute(trained, others, images):
        return model.stateless_call(trained, others, images, training=True)[1]

    def run(images):
        values = [[each.value for each in part] for part in (model.trainable_variables, model.non_trainable_variables)]
        assign(model.non_trainable_variables, compute(*values, images))

    return run
