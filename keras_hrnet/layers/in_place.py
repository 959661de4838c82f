"""Sums and ReLU of maps that nobody else holds: on PyTorch into their own memory, as the published code does.

The other backends compile a network, and find such maps themselves. What computed the map must not need it for its
gradient: convolution, normalisation, resizing and sum do not, and PyTorch raises where something does.
"""

import keras


def add(total, x):
    """Adds a map to another, which may be overwritten.

    Args:
        total: a float tensor that only the caller holds.
        x: a float tensor of the same shape and dtype.

    Returns:
        Their sum.
    """
    return total.add_(x) if keras.config.backend() == "torch" else total + x


def relu(x):
    """Sets what is negative to zero, in a map that may be overwritten.

    Args:
        x: a float tensor that only the caller holds.

    Returns:
        A float tensor of the same shape, not negative.
    """
    return x.relu_() if keras.config.backend() == "torch" else keras.ops.relu(x)


def activate(x, activation):
    """Applies an activation to a map that may be overwritten.

    Args:
        x: a float tensor that only the caller holds.
        activation: a function such as `keras.activations.relu`.

    Returns:
        A float tensor of the same shape.
    """
    return relu(x) if activation is keras.activations.relu else activation(x)
