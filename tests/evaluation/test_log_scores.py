"""Averages of scores that float32 cannot hold, against float64."""

import keras
import numpy as np
import pytest

from keras_hrnet.evaluation.log_scores import log_add, log_join, log_resize, log_softmax, mean_of_flips
from keras_hrnet.layers.resize import resize


def scores(*shape, scale=1.0):
    return (np.random.default_rng(0).standard_normal(shape) * scale).astype("float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(10, 6), (3, 13), (1, 2), (5, 7)])
def test_a_resize_of_logarithms_is_the_logarithm_of_a_resize(size, align_corners):
    x = scores(2, 5, 7, 3)
    expected = numpy(resize(np.exp(x), size, "bilinear", align_corners))
    np.testing.assert_allclose(np.exp(numpy(log_resize(x, size, align_corners))), expected, rtol=3e-6)  # measured 3e-7


def test_a_resize_of_scores_beyond_float32_keeps_what_exp_would_lose():
    # exp(300) is no number in float32, and exp(-300) is 0: the pixel between is the mean of its neighbors.
    x = np.array([[[[300.0, -300.0], [290.0, -310.0]]]], "float32")
    between = numpy(log_resize(x, (1, 4), False))[0, 0, 1]
    log_mean = np.log(0.75 + 0.25 * np.exp(-10.0))
    np.testing.assert_allclose(between, [300 + log_mean, -300 + log_mean], atol=1e-4)


def test_sums_do_not_overflow():
    total = log_add(log_add(None, np.float32([500.0, 1.0])), np.float32([500.0, 2.0]))
    np.testing.assert_allclose(numpy(total), [500 + np.log(2), np.log(np.exp(1) + np.exp(2))], rtol=1e-6)


def test_windows_are_averaged_where_they_overlap():
    first, second, third = (scores(1, 2, 4, 2) + i for i in range(3))
    joined = numpy(log_join([first, second, third], [0, 4, 6], axis=2))
    assert joined.shape == (1, 2, 10, 2)
    np.testing.assert_allclose(joined[:, :, :6], np.concatenate([first, second[:, :, :2]], axis=2))
    shared = np.log((np.exp(second[:, :, 2:]) + np.exp(third[:, :, :2])) / 2)
    np.testing.assert_allclose(joined[:, :, 6:8], shared, atol=1e-5)
    np.testing.assert_allclose(joined[:, :, 8:], third[:, :, 2:])


def test_flips_average_logits_officially_and_else_probabilities():
    logits, mirrored = scores(1, 3, 4, 5), scores(1, 3, 4, 5, scale=2.0)
    back = mirrored[:, :, ::-1]
    np.testing.assert_allclose(numpy(mean_of_flips(logits, mirrored, "official")), (logits + back) / 2, atol=1e-6)
    softmax = [np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (logits, back)]
    averaged = np.exp(numpy(mean_of_flips(logits, mirrored, "probabilities")))
    np.testing.assert_allclose(averaged, sum(softmax) / 2, atol=1e-6)


def test_the_softmax_of_huge_logits_is_one_and_zero():
    np.testing.assert_allclose(np.exp(numpy(log_softmax(np.float32([[1000.0, -1000.0]])))), [[1.0, 0.0]])
