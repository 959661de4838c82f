"""The layers inside a layer."""

import keras


def sublayers(layer):
    """Finds a layer and all the layers inside it, however deep.

    Args:
        layer: a `keras.layers.Layer` or a model.

    Returns:
        A list, each layer once.
    """
    found, waiting = {}, [layer]
    while waiting:
        layer = waiting.pop()
        if id(layer) not in found:
            found[id(layer)] = layer
            waiting += children(layer)
    return list(found.values())


def children(layer):
    """Finds the layers that a layer holds itself.

    Args:
        layer: a `keras.layers.Layer` or a model.

    Returns:
        A list, each layer once, in the order in which the layer came by them.
    """
    found = [child for value in list(vars(layer).values()) for child in _layers_in(value)]
    return list({id(child): child for child in found}.values())


def _layers_in(value):
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    return [child for child in children if isinstance(child, keras.layers.Layer)]
