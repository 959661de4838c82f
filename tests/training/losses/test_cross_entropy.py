"""The weighted mean of PyTorch, and whatever all losses with weights of classes refuse."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from keras_hrnet.training.losses import CrossEntropy, OhemCrossEntropy

WEIGHTS = (1.0, 2.0, 0.5, 0.1, 0.0)


def by_torch(labels, logits, weights=None):
    logits = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(
        logits.permute(0, 3, 1, 2),
        torch.tensor(labels).long(),
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=255,
    )
    loss.backward()
    return loss.item(), logits.grad.numpy()


def test_a_value_by_hand():
    labels = np.array([[[0, 1, 255]]], "uint8")
    logits = np.log(np.array([[[[0.5, 0.5], [0.75, 0.25], [0.1, 0.9]]]], "float32"))
    np.testing.assert_allclose(float(CrossEntropy()(labels, logits)), 1.5 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(float(CrossEntropy([1, 2])(labels, logits)), 5 / 3 * np.log(2), rtol=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_value_and_gradient_are_those_of_torch(batch, value_and_gradient, weights):
    labels, logits = batch
    loss = CrossEntropy(weights)
    value, gradient = value_and_gradient(loss, labels, logits)
    expected, slope = by_torch(labels, logits, weights)
    np.testing.assert_allclose(value, expected, rtol=2e-6)  # measured 2.5e-7
    np.testing.assert_allclose(gradient, slope, atol=2e-8)  # measured 1e-9
    assert not gradient[labels == 255].any()


def test_a_sum_of_a_few_thousand_weights_loses_nothing():
    # JAX on a CPU sums these one after the other when asked for one sum: 3e-6 off.
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 5, (2, 32, 48)).astype("uint8")
    logits = 3 * generator.standard_normal((2, 32, 48, 5)).astype("float32")
    weights = (1.0, 2.0, 0.5, 1.0, 0.1)
    expected, _ = by_torch(labels, logits.astype("float64"), np.array(weights))
    np.testing.assert_allclose(float(CrossEntropy(weights)(labels, logits)), expected, rtol=1e-6)  # measured 3.4e-7


@hypothesis.settings(deadline=None, max_examples=10)
@hypothesis.given(seed=st.integers(0, 10**6), ignored=st.floats(0, 1), scale=st.sampled_from([0.1, 3.0, 60.0]))
def test_it_is_that_of_torch_for_any_labels(seed, ignored, scale):
    generator = np.random.default_rng(seed)
    labels = np.where(generator.random((2, 4, 6)) < ignored, 255, generator.integers(0, 5, (2, 4, 6))).astype("uint8")
    logits = (scale * generator.standard_normal((2, 4, 6, 5))).astype("float32")
    weights = generator.uniform(0.1, 2, 5).astype("float32")
    expected, _ = by_torch(labels, logits, weights) if (labels != 255).any() else (0.0, None)
    np.testing.assert_allclose(float(CrossEntropy(weights)(labels, logits)), expected, rtol=5e-6, atol=1e-6)


def test_only_classes_without_weight_give_zero(batch, value_and_gradient):
    _, logits = batch
    loss = CrossEntropy(WEIGHTS)
    value, gradient = value_and_gradient(loss, np.full(logits.shape[:3], 4, "uint8"), logits)
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("loss_class", [CrossEntropy, OhemCrossEntropy])
@pytest.mark.parametrize("weights", [(1.0, -1.0), (1.0, float("nan")), (1.0, float("inf")), (0.0, 0.0), 1.0, ((1.0,),)])
def test_weights_that_are_none_are_refused(loss_class, weights):
    with pytest.raises(ValueError, match=rf"{loss_class.__name__}. received class_weights=.*at least 0.*Correct"):
        loss_class(class_weights=weights)


@pytest.mark.parametrize("weights", ["balanced", {0: 1.0}])
def test_weights_that_are_no_numbers_are_refused(weights):
    with pytest.raises(TypeError, match=r"received class_weights=.*a number for each class.*Pass a list"):
        CrossEntropy(weights)


@pytest.mark.parametrize("loss_class", [CrossEntropy, OhemCrossEntropy])
def test_weights_of_other_classes_are_refused(batch, loss_class):
    with pytest.raises(ValueError, match=r"received 3 class_weights, and logits of 5 classes.*Pass 5 weights"):
        loss_class(class_weights=[1, 2, 3])(*batch)
