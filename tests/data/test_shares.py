import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.data.shares import class_shares, class_weights

pytestmark = pytest.mark.once


def test_shares_are_those_of_the_pixels_that_have_a_class():
    labels = np.uint8([[[0, 0, 2], [255, 254, 2]], [[0, 0, 0], [0, 0, 255]]])
    dataset = tf.data.Dataset.from_tensor_slices((np.zeros((2, 1)), labels)).batch(1)
    np.testing.assert_array_equal(class_shares(dataset, 4), [7 / 9, 0, 2 / 9, 0])
    assert class_shares(dataset, 4).dtype == np.float64


def test_labels_of_other_integer_types_count_too():
    np.testing.assert_array_equal(class_shares([(None, np.int64([[0, 1, 255, -1]]))], 2), [0.5, 0.5])


def test_labels_without_any_class_are_refused():
    with pytest.raises(ValueError, match="No pixel of the dataset has a class from 0 to 1"):
        class_shares([(None, np.full((1, 2, 2), 255))], 2)


def test_enet_weights_are_the_inverse_of_the_logarithm():
    weights = class_weights([0.9, 0.09, 0.01])
    expected = 1 / np.log([1.92, 1.11, 1.03])
    np.testing.assert_allclose(weights, expected / expected.mean(), rtol=1e-12)


def test_median_frequency_weights_are_the_median_over_the_share():
    np.testing.assert_allclose(class_weights([0.9, 0.09, 0.01], "median_frequency") * (0.1 + 1 + 9) / 3, [0.1, 1, 9])


@pytest.mark.parametrize("method", ["enet", "median_frequency"])
def test_weights_have_mean_1_over_the_classes_that_occur(method):
    weights = class_weights([0.7, 0, 0.3], method)
    assert weights[[0, 2]].mean() == pytest.approx(1)
    assert weights[1] == weights[2]


@pytest.mark.parametrize("shares", [[], [0, 0], [0.5, -0.5], [np.nan, 1], [[0.5, 0.5]]])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="Expected a share of each class"):
        class_weights(shares)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r"method='linear'\. Expected 'enet' or 'median_frequency'"):
        class_weights([1.0], "linear")
