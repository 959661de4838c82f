"""Lovász-Softmax and Dice: values by hand, the published code, ignored pixels and classes that are absent."""

import keras
import numpy as np
import pytest
import torch

from keras_hrnet.training.losses import CrossEntropy, Dice, LovaszSoftmax, SumOfLosses

LABELS = np.array([[[0, 1, 1, 255]]], "uint8")
# Probabilities of class 1: 0.25, 0.75, 0.5; what the ignored pixel has does not matter. No pixel is of class 2.
LOGITS = np.log(np.array([[[[0.75, 0.25, 1e-30], [0.25, 0.75, 1e-30], [0.5, 0.5, 1e-30], [1, 9, 5]]]], "float32"))


def test_lovasz_by_hand(value_of):
    # Class 0: errors 0.5 (wrong), 0.25 (right), 0.25 (wrong), in either order: 1 - IoU of the first 1, 2, 3 pixels.
    # 0.5: 1 - 1/2 = 1/2; then the true pixel is missed: 1 - 0/2 = 1: 0.5 * 1/2 + 0.25 * 1/2
    # Class 1: errors 0.5 (true), 0.25 (true), 0.25 (wrong): 0.5 * 1/2 + 0.25 * 1/2
    assert value_of(LovaszSoftmax(data_format="channels_last"), LABELS, LOGITS) == pytest.approx(0.375, rel=1e-6)


def test_dice_by_hand(value_of):
    # Class 0: 1 - 2 * 0.75 / (1 + 1.5); class 1: 1 - 2 * 1.25 / (2 + 1.5)
    expected = (0.4 + 2 / 7) / 2
    assert value_of(Dice(data_format="channels_last"), LABELS, LOGITS) == pytest.approx(expected, rel=1e-6)


def published_lovasz(labels, logits):
    """`lovasz_softmax(probas, labels, classes='present', per_image=False, ignore=255)` of the authors, in float64."""
    valid = labels.reshape(-1) != 255
    labels = labels.reshape(-1)[valid]
    probabilities = torch.softmax(torch.tensor(logits, dtype=torch.float64), -1).reshape(-1, logits.shape[-1])
    losses = []
    for i in np.unique(labels):
        truth = torch.tensor(labels == i).double()
        errors, order = torch.sort((truth - probabilities[valid][:, i]).abs(), descending=True)
        truth = truth[order]
        intersection, union = truth.sum() - truth.cumsum(0), truth.sum() + (1 - truth).cumsum(0)
        jaccard = 1 - intersection / union
        jaccard[1:] = jaccard[1:] - jaccard[:-1].clone()
        losses.append(torch.dot(errors, jaccard))
    return float(sum(losses) / len(losses))


def test_lovasz_is_that_of_the_published_code(batch, value_and_gradient):
    labels, logits = batch
    labels[labels == 3] = 255
    value, gradient = value_and_gradient(LovaszSoftmax(data_format="channels_last"), labels, logits)
    assert float(value) == pytest.approx(published_lovasz(labels, logits), rel=2e-6)
    assert not gradient[labels == 255].any()
    assert gradient[labels != 255].any(axis=-1).all()


def test_dice_falls_along_its_gradient(batch, value_and_gradient):
    labels, logits = batch
    loss = Dice(data_format="channels_last")
    value, gradient = value_and_gradient(loss, labels, logits)
    moved, _ = value_and_gradient(loss, labels, logits - 10 * gradient)
    assert float(moved) < float(value) - 5 * (gradient**2).sum()
    assert not gradient[labels == 255].any()


@pytest.mark.parametrize("loss", [LovaszSoftmax, Dice])
def test_a_perfect_prediction_costs_nothing_and_the_worst_one(loss, value_of):
    logits = np.full((*LABELS.shape, 3), -50, "float32")
    for i, label in enumerate(LABELS[0, 0, :3]):
        logits[0, 0, i, label] = 50
    assert value_of(loss(data_format="channels_last"), LABELS, logits) == pytest.approx(0, abs=1e-6)
    assert value_of(loss(data_format="channels_last"), LABELS, np.roll(logits, 1, -1)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("loss", [LovaszSoftmax, Dice])
def test_nothing_counts_where_all_is_ignored(loss, value_and_gradient):
    value, gradient = value_and_gradient(loss(data_format="channels_last"), np.full_like(LABELS, 255), LOGITS)
    assert float(value) == 0
    assert not gradient.any()


@pytest.mark.parametrize("loss", [LovaszSoftmax, Dice])
def test_channels_first_are_the_same(loss, batch, value_of):
    labels, logits = batch
    moved = np.ascontiguousarray(np.moveaxis(logits, -1, 1))
    expected = value_of(loss(data_format="channels_last"), labels, logits)
    assert value_of(loss(data_format="channels_first"), labels, moved) == pytest.approx(expected, rel=1e-6)


def test_a_sum_is_that_of_its_losses_and_is_saved(batch, value_of):
    labels, logits = batch
    parts = [CrossEntropy([1, 2, 1, 1, 1], data_format="channels_last"), Dice(data_format="channels_last")]
    loss = SumOfLosses(parts)
    expected = sum(value_of(part, labels, logits) for part in parts)
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-6)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(labels, logits)) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="received 5 class_weights, and logits of 3 classes"):
        loss(labels, logits[..., :3])
    with pytest.raises(ValueError, match=r"losses with \(ignore_label, data_format\) of"):
        SumOfLosses([CrossEntropy(ignore_label=1), Dice()])
