"""Builds and finds the layers inside a layer."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.data_format import Shape


def build_in_order(layers: Sequence[keras.layers.Layer], shape: Shape) -> Shape:
    """Builds layers that are called in sequence, and returns the shape of the last result."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def sublayers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns a layer or model and all the layers inside it at any depth, each once."""
    found, waiting = {}, [layer]
    while waiting:
        layer = waiting.pop()
        if id(layer) not in found:
            found[id(layer)] = layer
            waiting += children(layer)
    return list(found.values())


def children(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the direct sublayers of a layer or model, each once, in the order in which they were assigned."""
    found = [child for value in list(vars(layer).values()) for child in _layers_in(value)]
    return list({id(child): child for child in found}.values())


def _layers_in(value: Any) -> list[keras.layers.Layer]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    return [child for child in children if isinstance(child, keras.layers.Layer)]
