"""Calls of layers inside layers: on PyTorch without what Keras does around each call."""

import keras


def call_inside(layer, *args, **kwargs):
    """Calls a layer from the `call` of the layer that made it, with the same dtype policy.

    Keras converts arguments, and looks for `training`, masks and layouts, at every call: 0.15 ms, a thousand times in a
    forward pass of HRNetW18. The outer call has done so already. TensorFlow and JAX only do it while they trace, and
    name operations by it.

    Args:
        layer: a built layer.
        *args: tensors, of the layer's compute dtype.
        **kwargs: further arguments; `training` where the layer takes it.

    Returns:
        What the layer returns.
    """
    return layer.call(*args, **kwargs) if keras.config.backend() == "torch" else layer(*args, **kwargs)
