"""Region mutual information, beside a slow float64 computation; in float32 it equals the published code to 1e-6."""

import keras
import numpy as np
import pytest
import torch

from keras_hrnet.training.losses import CrossEntropy, RegionMutualInformation


def slow(labels, logits, radius=3, num_classes=5):
    """The formula of the paper with the constants of NVIDIA's code, in float64, pixel by pixel of its vectors."""
    counted = torch.tensor(labels != 255)
    truth = torch.tensor(labels[..., None] == np.arange(num_classes)).double()
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    cross_entropy = cross_entropy[counted].sum() / (counted.sum() + 1)
    probabilities = torch.sigmoid(logits) * counted[..., None] + 1e-6
    total = 0
    for image in range(len(labels)):
        for k in range(num_classes):
            t, p = (vectors(pooled(maps[image, ..., k]), radius) for maps in (truth, probabilities))
            ridge = 5e-4 * torch.eye(radius**2, dtype=torch.float64)
            left = t @ t.T + ridge - t @ p.T @ torch.linalg.inv(p @ p.T + ridge) @ p @ t.T
            total += 0.5 * torch.logdet(left) / radius**2
    return 0.5 * cross_entropy + 0.5 * total / len(labels)


def pooled(image):
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
    height, width = image.shape[0] // 4 + 1, image.shape[1] // 4 + 1
    squares = [[padded[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean() for x in range(width)] for y in range(height)]
    return torch.stack([torch.stack(row) for row in squares])


def vectors(image, radius):
    height, width = image.shape[0] - radius + 1, image.shape[1] - radius + 1
    windows = [image[y : y + radius, x : x + radius].flatten() for y in range(height) for x in range(width)]
    vectors = torch.stack(windows, 1)
    return vectors - vectors.mean(1, keepdim=True)


def slow_value_and_gradient(labels, logits, **options):
    logits = torch.tensor(logits.astype("float64"), requires_grad=True)
    loss = slow(labels, logits, **options)
    loss.backward()
    return loss.item(), logits.grad.numpy()


def of_truth(labels, value):
    return np.where(labels[..., None] == np.arange(5), value, -value).astype("float32")


CASES = {
    "random": lambda labels, logits: (labels, logits),
    "saturated": lambda labels, logits: (labels, of_truth(labels, 30)),
    "good": lambda labels, logits: (labels, of_truth(labels, 6) + logits),
    "wrong": lambda labels, logits: (labels, of_truth(labels, -4)),
    "constant": lambda labels, logits: (labels, np.full_like(logits, -2)),
    "a class absent": lambda labels, logits: (np.where(labels == 1, 2, labels).astype("uint8"), logits),
    "ignored": lambda labels, logits: (np.full_like(labels, 255), logits),
    "one image ignored": lambda labels, logits: (np.stack([labels[0], np.full_like(labels[1], 255)]), logits),
}


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_those_of_the_slow_computation(batch, value_and_gradient, case):
    labels, logits = CASES[case](*batch)
    loss = RegionMutualInformation(5)
    value, gradient = value_and_gradient(loss, labels, logits)
    expected, slope = slow_value_and_gradient(labels, logits)
    np.testing.assert_allclose(value, expected, atol=2e-5)  # measured 2.4e-6
    np.testing.assert_allclose(gradient, slope, atol=3e-4 * np.abs(slope).max() + 1e-12)  # measured 2.4e-5


def test_another_radius(batch, value_of):
    expected, _ = slow_value_and_gradient(*batch, radius=2)
    np.testing.assert_allclose(value_of(RegionMutualInformation(5, 2), *batch), expected, atol=2e-5)


def test_the_smallest_crop_has_one_neighborhood(value_and_gradient):
    labels, logits = np.zeros((1, 8, 8), "uint8"), np.zeros((1, 8, 8, 1), "float32")
    loss = RegionMutualInformation(1)
    value, gradient = value_and_gradient(loss, labels, logits)
    # One point has no covariance: 9 eigenvalues of 5e-4. 64 pixels of log 2 over 65.
    expected = 0.5 * 64 / 65 * np.log(2) + 0.5 * 0.5 * np.log(5e-4)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, 0.5 * -0.5 / 65, rtol=1e-6)


def test_auxiliary_logits_are_trained_on_cross_entropy():
    auxiliary = RegionMutualInformation(5, ignore_label=7, data_format="channels_first").auxiliary
    assert isinstance(auxiliary, CrossEntropy)
    assert (auxiliary.ignore_label, auxiliary.data_format, auxiliary.class_weights) == (7, "channels_first", None)


def test_other_classes_are_refused(batch):
    with pytest.raises(ValueError, match=r"num_classes=19, and logits of 5 classes.*Pass num_classes=5"):
        RegionMutualInformation(19)(*batch)


def test_a_crop_without_room_is_refused():
    with pytest.raises(ValueError, match=r"\(7, 24\) for radius=3.*at least 8 pixels.*larger crops"):
        RegionMutualInformation(5)(np.zeros((1, 7, 24), "uint8"), keras.ops.zeros((1, 7, 24, 5)))


@pytest.mark.parametrize("name", ["num_classes", "radius"])
def test_a_count_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match=f"received {name}=0.*at least 1.*Pass"):
        RegionMutualInformation(**{"num_classes": 5, name: 0})
    with pytest.raises(TypeError, match=f"received {name}=1.5.*an integer.*Pass"):
        RegionMutualInformation(**{"num_classes": 5, name: 1.5})
