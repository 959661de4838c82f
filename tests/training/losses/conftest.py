"""One small batch for all losses, and gradients on any backend."""

import functools

import keras
import numpy as np
import pytest

NUM_CLASSES = 5
SHAPE = (2, 16, 24)


@pytest.fixture
def batch():
    """Labels with a tenth ignored, and logits."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, NUM_CLASSES, SHAPE).astype("uint8")
    labels[generator.random(SHAPE) < 0.1] = 255
    return labels, 2 * generator.standard_normal((*SHAPE, NUM_CLASSES)).astype("float32")


@pytest.fixture
def value_and_gradient():
    """Returns a function that computes loss(labels, x) and its gradient by x on the active backend, in NumPy arrays."""
    return {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}[keras.config.backend()]


@pytest.fixture
def value_of(value_and_gradient):
    """Returns a function that computes loss(labels, x) as a float."""
    return lambda loss, labels, logits: float(value_and_gradient(loss, labels, logits)[0])


def _by_tensorflow(loss, labels, x):
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(tf.constant(labels), x)
    return value.numpy(), tf.cast(tape.gradient(value, x), "float32").numpy()


def _by_jax(loss, labels, x):
    # JAX takes seconds to compile a loss: once for all tests of equal ones.
    if isinstance(loss, keras.losses.Loss):
        compiled = _compiled_loss(type(loss), tuple(loss.get_config().items()))
    else:
        compiled = _compiled_function(loss)
    value, gradient = compiled(labels, x)
    return np.array(value), np.array(gradient, "float32")


@functools.cache
def _compiled_loss(loss_class, config):
    return _compiled_function(loss_class(**dict(config)))


@functools.cache
def _compiled_function(function):
    import jax

    return jax.jit(jax.value_and_grad(function, argnums=1))


def _by_torch(loss, labels, x):
    import torch

    x = x.clone().requires_grad_() if torch.is_tensor(x) else torch.tensor(x, requires_grad=True)
    value = loss(torch.tensor(labels), x)
    value.backward()
    return value.detach().numpy(), x.grad.float().numpy()
