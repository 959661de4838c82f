"""Calls of layers inside layers: on PyTorch without the work that Keras does around each call."""

from collections.abc import Iterable
from typing import Any

import keras


def call_inside(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
    """Calls a layer from the `call` of the layer that made it, with the same dtype policy.

    At every call, Keras converts arguments and looks for `training`, masks and layouts. That takes 0.15 ms, a thousand
    times in a forward pass of HRNetW18, and the outer call has done it already. TensorFlow and JAX do it only while
    they trace, and name operations by it.

    Args:
        layer: a built layer.
        *args: tensors, of the layer's compute dtype.
        **kwargs: further arguments; `training` only if the layer takes it.
    """
    return layer.call(*args, **kwargs) if keras.config.backend() == "torch" else layer(*args, **kwargs)


def call_in_order(layers: Iterable[keras.layers.Layer], x: Any, training: bool | None) -> Any:
    """Calls layers one after another, each with the result of the one before it, as `call_inside` does."""
    for layer in layers:
        x = call_inside(layer, x, training=training)
    return x
