"""Determinants where float32 covariances would be singular."""

import keras
import numpy as np
import pytest
import torch

from keras_hrnet.training.losses.residual_log_determinant import full_precision_product, residual_log_determinant

RIDGE = 5e-4
POINTS = 30_000


def in_float64(target, given):
    target = torch.tensor(target.astype("float64"))
    given = torch.tensor(given.astype("float64"), requires_grad=True)
    t, g = (x - x.mean(-1, keepdim=True) for x in (target, given))
    ridge = RIDGE * torch.eye(len(t), dtype=torch.float64)
    value = torch.logdet(t @ t.T + ridge - t @ g.T @ torch.linalg.inv(g @ g.T + ridge) @ g @ t.T)
    value.backward()
    return value.item(), given.grad.numpy()


def with_ridge(target, given):
    return residual_log_determinant(target, given, RIDGE)


def smooth(generator):
    """Four rows that differ little from each other, as neighbors in an image do."""
    common = generator.random(POINTS)
    return np.stack([common + 0.01 * generator.standard_normal(POINTS) for _ in range(4)]).astype("float32")


CASES = {
    "independent": lambda target, noise: noise,
    "close": lambda target, noise: target + 1e-3 * noise,
    "the same": lambda target, noise: target,
    "almost constant": lambda target, noise: 1e-6 * noise + 0.3,
    "constant": lambda target, noise: np.full_like(target, 0.3),
}


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_those_of_float64(case, value_and_gradient):
    generator = np.random.default_rng(0)
    target, noise = smooth(generator), generator.standard_normal((4, POINTS)).astype("float32")
    given = CASES[case](target, noise).astype("float32")
    value, gradient = value_and_gradient(with_ridge, target, given)
    expected, slope = in_float64(target, given)
    np.testing.assert_allclose(value, expected, atol=2e-5)  # measured 1.8e-6
    assert np.linalg.norm(gradient - slope) <= 1e-3 * np.linalg.norm(slope) + 5e-6  # measured 6e-5 and 4e-7


def test_a_product_of_two_columns_by_hand():
    product = full_precision_product(
        keras.ops.convert_to_tensor([[1.0, 2.0]]), keras.ops.convert_to_tensor([[3.0], [4.0]])
    )
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(product), [[11.0]])
    assert keras.backend.standardize_dtype(product.dtype) == "float32"


def test_a_backend_that_rounds_factors_multiplies_in_float64(monkeypatch):
    if keras.config.backend() != "tensorflow":
        pytest.skip("JAX uses its highest precision, and PyTorch rounds factors only on GPUs")
    import tensorflow as tf

    a = np.random.default_rng(0).random((2, 100)).astype("float32")
    exact = (a.astype("float64") @ a.T.astype("float64")).astype("float32")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    np.testing.assert_array_equal(full_precision_product(tf.constant(a), tf.constant(a.T)), exact)
