"""Mining of hard pixels, beside the published computation written out plainly."""

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import torch

from keras_hrnet.training.losses import CrossEntropy, OhemCrossEntropy

WEIGHTS = (1.0, 2.0, 0.5, 0.1, 3.0)


def published(labels, logits, threshold, min_kept, weights):
    """Gathers, sorts and cuts the pixels that count, as lib/core/criterion.py does."""
    logits = torch.tensor(logits, requires_grad=True)
    counted = torch.tensor(labels != 255)
    classes = torch.tensor(labels).long()[counted]
    log_probabilities = torch.log_softmax(logits[counted], -1)[torch.arange(len(classes)), classes]
    probabilities = log_probabilities.detach().exp()
    ascending = probabilities.sort().values
    limit = max(ascending[min(min_kept, len(ascending) - 1)].item(), threshold)
    kept = probabilities < limit
    losses = -log_probabilities * torch.tensor(weights)[classes]
    loss = losses[kept].mean() if kept.any() else 0 * losses.sum()
    loss.backward()
    return loss.item(), logits.grad.numpy()


def row(probabilities):
    """Logits of a row of pixels whose class 1 has these probabilities."""
    p = np.array(probabilities, "float32")
    return np.log(np.stack([1 - p, p], -1))[None, None]


@pytest.mark.parametrize(
    ("threshold", "min_kept", "kept"),
    [
        (0.5, 1, [0.125, 0.25]),  # below the threshold
        (0.5, 3, [0.125, 0.25, 0.625]),  # at least three
        (0.25, 1, [0.125]),  # strictly below the threshold
        (0.5, 100, [0.125, 0.25, 0.625]),  # more than there are: all but the best one, as published
        (0.1, 1, [0.125]),  # one at least
    ],
)
def test_values_by_hand(threshold, min_kept, kept):
    labels = np.array([[[1, 1, 255, 1, 1]]], "uint8")
    loss = OhemCrossEntropy(threshold, min_kept)(labels, row([0.25, 0.875, 0.01, 0.125, 0.625]))
    np.testing.assert_allclose(float(loss), -np.log(kept).mean(), rtol=1e-6)


def test_the_mean_is_not_divided_by_the_weights():
    labels = np.array([[[1, 1, 0]]], "uint8")
    loss = OhemCrossEntropy(0.9, 1, class_weights=[4, 2])(labels, row([0.25, 0.5, 0.5]))
    np.testing.assert_allclose(float(loss), (2 * np.log(4) + 2 * np.log(2) + 4 * np.log(2)) / 3, rtol=1e-6)


@pytest.mark.parametrize(("threshold", "min_kept"), [(0.9, 10), (0.1, 300), (0.3, 10**6)])
def test_value_and_gradient_are_the_published_ones(batch, value_and_gradient, threshold, min_kept):
    labels, logits = batch
    loss = OhemCrossEntropy(threshold, min_kept, WEIGHTS)
    value, gradient = value_and_gradient(loss, labels, logits)
    expected, slope = published(labels, logits, threshold, min_kept, WEIGHTS)
    np.testing.assert_allclose(value, expected, rtol=2e-6)  # measured 2.7e-7
    np.testing.assert_allclose(gradient, slope, atol=1e-8)  # measured 1.4e-9


@hypothesis.settings(deadline=None, max_examples=10)
@hypothesis.given(
    seed=st.integers(0, 10**6), ignored=st.floats(0, 0.9), threshold=st.floats(0.01, 1), min_kept=st.integers(1, 60)
)
def test_it_is_the_published_one_for_any_labels(seed, ignored, threshold, min_kept):
    generator = np.random.default_rng(seed)
    labels = np.where(generator.random((2, 4, 6)) < ignored, 255, generator.integers(0, 5, (2, 4, 6))).astype("uint8")
    labels[0, 0, 0] = 0
    logits = generator.standard_normal((2, 4, 6, 5)).astype("float32")
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    # What lies on the threshold may fall on either side of it.
    hypothesis.assume(np.abs(probabilities - threshold).min() > 1e-6)
    expected, _ = published(labels, logits, threshold, min_kept, WEIGHTS)
    loss = OhemCrossEntropy(threshold, min_kept, WEIGHTS)(labels, logits)
    np.testing.assert_allclose(float(loss), expected, rtol=5e-6, atol=1e-6)


def test_no_pixel_kept_gives_zero(value_and_gradient):
    loss = OhemCrossEntropy(0.5, 1)
    value, gradient = value_and_gradient(loss, np.array([[[1]]], "uint8"), row([0.75]))
    assert value == 0
    assert not gradient.any()


def test_auxiliary_logits_are_trained_on_the_weighted_mean(batch):
    loss = OhemCrossEntropy(class_weights=WEIGHTS, ignore_label=7, data_format="channels_first")
    assert isinstance(loss.auxiliary, CrossEntropy)
    expected = {"class_weights": WEIGHTS, "ignore_label": 7, "data_format": "channels_first", "name": "cross_entropy"}
    assert loss.auxiliary.get_config() == expected


@pytest.mark.parametrize("threshold", [0, -0.5, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold):
    with pytest.raises(ValueError, match=r"received threshold=.*above 0 and at most 1.*Pass 0.9"):
        OhemCrossEntropy(threshold)


def test_a_min_kept_that_is_no_number_of_pixels_is_refused():
    with pytest.raises(ValueError, match=r"received min_kept=0.*at least 1, a number of pixels.*Pass"):
        OhemCrossEntropy(min_kept=0)
    with pytest.raises(TypeError, match=r"received min_kept=0.25.*an integer.*Pass"):
        OhemCrossEntropy(min_kept=0.25)
