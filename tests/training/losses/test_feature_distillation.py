"""The share of a teacher's map that a network's map does not explain: its value, gradient, and what does not count."""

import keras
import numpy as np
import pytest

from keras_hrnet.training import FeatureDistillation

STUDENT, TEACHER = 3, 5


@pytest.fixture
def maps():
    """Weights, 0 for a fifth of the positions, and maps of which the teacher's follows in part from the student's."""
    draw = np.random.default_rng(0)
    weights = (draw.uniform(0, 2, (2, 16, 20)) * (draw.random((2, 16, 20)) > 0.2)).astype("float32")
    ours = draw.normal(2.0, 1.0, (2, 16, 20, STUDENT))
    known = ours @ draw.normal(size=(STUDENT, TEACHER)) + draw.normal(1.0, 1.5, (2, 16, 20, TEACHER))
    return weights, ours.astype("float32"), known.astype("float32")


def loss_of(weights, ours, known):
    """Computes the share in float64, and its gradient by the student's map."""
    shares = weights.reshape(-1, 1).astype("float64") / weights.sum()
    x, y = (x.reshape(-1, x.shape[-1]).astype("float64") for x in (ours, known))
    x, y = (x - np.sum(shares * x, 0) for x in (x, y))
    # The ridge and the least variance are a thousandth of the mean variance.
    ridge = 1e-3 * np.sum(shares * x**2, 0).mean() * np.eye(x.shape[1])
    function = np.linalg.solve(x.T @ (shares * x) + ridge, x.T @ (shares * y))
    error, variance = x @ function - y, np.sum(shares * y**2, 0)
    variance += 1e-3 * variance.mean()
    gradient = 2 * shares * (error / variance) @ function.T / y.shape[1]
    return np.sum(shares * error**2 / variance) / y.shape[1], gradient.reshape(ours.shape)


def test_it_is_what_least_squares_leave(maps, value_and_gradient):
    weights, ours, known = maps
    expected, gradient = loss_of(weights, ours, known)
    assert 0.2 < expected < 0.8
    value, actual = value_and_gradient(FeatureDistillation(STUDENT), weights, np.concatenate([ours, known], -1))
    np.testing.assert_allclose(value, expected, rtol=2e-6)
    np.testing.assert_allclose(actual[..., :STUDENT], gradient, rtol=0, atol=5e-6 * np.abs(gradient).max())
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
    broken = np.where(np.arange(STUDENT + TEACHER) == 1, np.nan, pair).astype("float32")
    assert np.isnan(value_and_gradient(loss, weights, broken)[0])


@pytest.mark.parametrize(
    ("num_channels", "weights", "maps", "message"),
    [
        (0, (2, 3, 4), (2, 3, 4, 5), "received num_channels=0. Expected at least 1"),
        (5, (2, 3, 4), (2, 3, 4, 5), "received num_channels=5 and 5 channels. Expected the student's channels"),
        (2, (2, 3, 5), (2, 3, 4, 5), r"weights of shape \(2, 3, 5\) and maps of shape \(2, 3, 4, 5\)"),
    ],
)
def test_maps_that_do_not_match_are_refused(num_channels, weights, maps, message):
    with pytest.raises(ValueError, match=message):
        FeatureDistillation(num_channels)(np.ones(weights, "float32"), np.ones(maps, "float32"))
