"""Sums and ReLU that overwrite their input, for inference on PyTorch, on maps that nothing else reads.

The other backends compile a network, and reuse such memory automatically. In training, a map is a permuted view of a
tensor that PyTorch computed, and the gradient of a write into a view copies the entire tensor twice.
"""

from collections.abc import Callable

import keras


def add(total: keras.KerasTensor, x: keras.KerasTensor) -> keras.KerasTensor:
    """Adds a float map to `total`, which has the same shape and dtype; only the caller uses it, and it may change."""
    return total.add_(x) if is_writable(total) and not x.requires_grad else total + x


def relu(x: keras.KerasTensor) -> keras.KerasTensor:
    """Applies ReLU to a float tensor; only the caller uses it, and it may be overwritten."""
    return x.relu_() if is_writable(x) else keras.ops.relu(x)


def activate(x: keras.KerasTensor, activation: Callable[[keras.KerasTensor], keras.KerasTensor]) -> keras.KerasTensor:
    """Applies an activation to a float tensor; only the caller uses it, and it may be overwritten."""
    return relu(x) if activation is keras.activations.relu else activation(x)


def is_writable(x: keras.KerasTensor) -> bool:
    """Returns whether a map can be overwritten at no cost: on PyTorch, when no gradients are computed."""
    return keras.config.backend() == "torch" and not x.requires_grad
