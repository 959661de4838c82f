"""The share of a teacher's map that a network's map does not explain: its value, gradient, and what does not count."""

import keras
import numpy as np
import pytest

from keras_hrnet.training import FeatureDistillation

STUDENT, TEACHER = 3, 5


@pytest.fixture
def maps():
    """Weights with ignored positions, and maps of which the teacher's follows in part from the student's."""
    draw = np.random.default_rng(0)
    weights = (draw.random((2, 16, 20)) > 0.2).astype("float32")
    ours = draw.normal(2.0, 1.0, (2, 16, 20, STUDENT))
    known = ours @ draw.normal(size=(STUDENT, TEACHER)) + draw.normal(1.0, 1.5, (2, 16, 20, TEACHER))
    return weights, ours.astype("float32"), known.astype("float32")


def loss_of(weights, ours, known):
    """Computes the share by NumPy's least squares, and its gradient by the student's map."""
    counts = weights > 0
    x, y = (x[counts] - x[counts].mean(0) for x in (ours.astype("float64"), known.astype("float64")))
    function = np.linalg.lstsq(x, y, rcond=None)[0]
    error, variance = x @ function - y, y.var(0)
    gradient = np.zeros_like(ours, "float64")
    gradient[counts] = 2 * (error / variance) @ function.T / (counts.sum() * TEACHER)
    return np.mean(error**2 / variance), gradient


def test_it_is_what_least_squares_leave(maps, value_and_gradient):
    weights, ours, known = maps
    expected, gradient = loss_of(weights, ours, known)
    assert 0.2 < expected < 0.8
    value, actual = value_and_gradient(FeatureDistillation(STUDENT), weights, np.concatenate([ours, known], -1))
    # The ridge and the least variance are a thousandth each.
    np.testing.assert_allclose(value, expected, rtol=2e-3)
    np.testing.assert_allclose(actual[..., :STUDENT], gradient, rtol=0, atol=3e-3 * np.abs(gradient).max())
    assert not actual[..., STUDENT:].any() and not actual[weights == 0].any()
    copy = keras.losses.deserialize(keras.losses.serialize(FeatureDistillation(STUDENT)))
    assert (copy.num_channels, copy.name) == (STUDENT, "feature_distillation")


def test_other_channels_with_the_same_content_explain_all(maps, value_of):
    weights, ours, known = maps
    mixed = known @ np.random.default_rng(1).normal(size=(TEACHER, TEACHER)).astype("float32") + 7
    explained = np.concatenate([mixed, known], -1)
    assert value_of(FeatureDistillation(TEACHER), weights, explained) < 2e-2
    noise = np.random.default_rng(2).normal(size=ours.shape).astype("float32")
    assert value_of(FeatureDistillation(STUDENT), weights, np.concatenate([noise, known], -1)) > 0.98


def test_ignored_positions_and_channels_without_values_do_not_count(maps, value_and_gradient):
    weights, ours, known = maps
    loss, pair = FeatureDistillation(STUDENT), np.concatenate([ours, known], -1)
    value, _ = value_and_gradient(loss, weights, pair)
    other = np.where(weights[..., None] > 0, pair, 100)
    np.testing.assert_allclose(value_and_gradient(loss, weights, other)[0], value, rtol=1e-4)
    value, gradient = value_and_gradient(loss, np.zeros_like(weights), pair)
    assert value == 0 and not gradient.any()
    empty = np.concatenate([np.zeros_like(ours), np.zeros_like(known)], -1)
    value, gradient = value_and_gradient(loss, weights, empty)
    assert value == 0 and np.isfinite(gradient).all()
