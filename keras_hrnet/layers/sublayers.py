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
            waiting += [child for value in list(vars(layer).values()) for child in _layers_in(value)]
    return list(found.values())


def _layers_in(value):
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    return [child for child in children if isinstance(child, keras.layers.Layer)]
