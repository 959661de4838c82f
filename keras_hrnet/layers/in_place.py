"""Sums and ReLU of maps that nobody else holds: in inference on PyTorch into their own memory.

The other backends compile a network, and find such maps themselves. In training, a map here is a view in another order
of what PyTorch computed, and the gradient of writing into a view copies the whole of it, twice.
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
    return total.add_(x) if is_writable(total) and not x.requires_grad else total + x


def relu(x):
    """Sets what is negative to zero, in a map that may be overwritten.

    Args:
        x: a float tensor that only the caller holds.

    Returns:
        A float tensor of the same shape, not negative.
    """
    return x.relu_() if is_writable(x) else keras.ops.relu(x)


def activate(x, activation):
    """Applies an activation to a map that may be overwritten.

    Args:
        x: a float tensor that only the caller holds.
        activation: a function such as `keras.activations.relu`.

    Returns:
        A float tensor of the same shape.
    """
    return relu(x) if activation is keras.activations.relu else activation(x)


def is_writable(x):
    """Returns whether a map can be overwritten at no cost: on PyTorch, where no gradient is taken."""
    return keras.config.backend() == "torch" and not x.requires_grad
