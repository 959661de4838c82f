"""The cross-entropy of pixels, beside the operation of Keras that it stands for."""

import keras
import numpy as np
import pytest

from keras_hrnet.training.losses import pixel_cross_entropy as module
from keras_hrnet.training.losses.pixel_cross_entropy import pixel_cross_entropy


def plain(labels, logits):
    return keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def weighted_sum_of(function):
    """A function whose gradient by the losses of pixels differs from pixel to pixel, and is 0 for some."""

    def loss(labels, logits):
        losses = function(labels, logits)
        weights = keras.ops.cast(labels, "float32") / keras.ops.cast(keras.ops.size(labels), "float32")
        return keras.ops.sum(weights * losses)

    return loss


@pytest.fixture
def pixels(batch):
    labels, logits = batch
    return np.where(labels == 255, 0, labels).astype("int32"), 10 * logits


def test_a_value_by_hand():
    logits = np.log(np.array([[[[0.5, 0.5], [0.75, 0.25]]]], "float32"))
    losses = pixel_cross_entropy(*map(keras.ops.convert_to_tensor, (np.array([[[0, 1]]], "int32"), logits)))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(losses), [[[np.log(2), np.log(4)]]], rtol=1e-6)


# Of 24 columns and 5 classes: a row, three rows (and one is left), and everything at once.
@pytest.mark.parametrize("at_a_time", [1, 3 * 24 * 5, 2**21])
def test_it_is_the_operation_of_keras(pixels, value_and_gradient, monkeypatch, at_a_time):
    monkeypatch.setattr(module, "LOGITS_AT_A_TIME", at_a_time)
    value, gradient = value_and_gradient(weighted_sum_of(pixel_cross_entropy), *pixels)
    expected, slope = value_and_gradient(weighted_sum_of(plain), *pixels)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, atol=1e-9)


def test_the_losses_of_confident_pixels_lose_nothing(pixels):
    labels, logits = pixels
    logits = logits + 60 * np.eye(5, dtype="float32")[labels]
    losses, expected = (
        keras.ops.convert_to_numpy(f(*map(keras.ops.convert_to_tensor, (labels, logits))))
        for f in (pixel_cross_entropy, plain)
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_pytorch_keeps_no_second_copy_of_the_logits(pixels, monkeypatch):
    if keras.config.backend() != "torch":
        pytest.skip("on TensorFlow and JAX, the compiler decides what is kept")
    import torch

    monkeypatch.setattr(module, "LOGITS_AT_A_TIME", 1)
    labels, logits = (torch.tensor(x) for x in pixels)
    logits.requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        losses = pixel_cross_entropy(labels, logits)
    assert {x.data_ptr() for x in kept if x.numel() >= logits.numel()} == {logits.data_ptr()}
    losses.sum().backward()
    assert logits.grad is not None
