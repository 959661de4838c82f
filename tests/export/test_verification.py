"""What counts as the same answer, and the images that it is asked for."""

import numpy as np
import pytest

from keras_hrnet.export.options import TFLiteOptions
from keras_hrnet.export.verification import Reference, compare, verification_images

# Two pixels of three classes. The tolerance is 0.005 of the largest logit: 0.05.
LOGITS = np.array([[[[10, 0, 0], [2.0, 2.06, 0]]]], dtype=np.float32)


def options(output="logits", image_size=(1, 2)):
    return TFLiteOptions(image_size=image_size, output=output)


def reference():
    return Reference(np.zeros((1, 1, 2, 3), np.uint8), LOGITS)


def test_equal_logits_differ_by_nothing():
    comparison = compare(LOGITS, reference(), options())
    assert (comparison.largest_difference, comparison.mean_difference, comparison.label_agreement) == (0, 0, 1)


def test_differences_within_the_tolerance_are_told():
    moved = LOGITS.copy()
    moved[0, 0, 1] += [0.04, -0.04, 0]  # Now the second pixel is of class 0.
    comparison = compare(moved, reference(), options())
    assert comparison.largest_difference == pytest.approx(0.04, rel=1e-5)
    assert comparison.mean_difference == pytest.approx(0.08 / 6, rel=1e-5)
    assert comparison.label_agreement == 0.5


@pytest.mark.parametrize("wrong", [0.06, -0.06, np.nan, np.inf])
def test_one_logit_beyond_the_tolerance_fails(wrong):
    moved = LOGITS.copy()
    moved[0, 0, 0, 1] += np.float32(wrong)
    with pytest.raises(RuntimeError, match=r"in a value, .* Expected at most 0.05"):
        compare(moved, reference(), options())


def test_a_label_may_differ_only_where_keras_hardly_prefers_its_own():
    hardly = np.array([[[0, 0]]], dtype=np.uint8)
    assert compare(hardly, reference(), options("labels")).label_agreement == 0.5
    with pytest.raises(RuntimeError, match=r"off by 10 in a label's logit, with 50.000 % of the labels"):
        compare(np.array([[[1, 1]]], dtype=np.uint8), reference(), options("labels"))


def test_probabilities_may_differ_by_half_of_what_logits_may():
    odds = np.exp(LOGITS.astype(np.float64))
    expected = (odds / odds.sum(axis=-1, keepdims=True)).astype(np.float32)
    assert compare(expected, reference(), options("probabilities")).largest_difference < 1e-6
    with pytest.raises(RuntimeError, match=r"Expected at most 0.025"):
        compare(expected + np.float32(0.03), reference(), options("probabilities"))


def test_an_answer_of_another_shape_or_dtype_fails():
    with pytest.raises(RuntimeError, match=r"answers float32 of shape \(1, 1, 1, 3\) where Keras gives float32"):
        compare(LOGITS[:, :, :1], reference(), options())
    with pytest.raises(RuntimeError, match=r"answers int32 .* where Keras gives uint8"):
        compare(np.zeros((1, 1, 2), np.int32), reference(), options("labels"))


def test_without_data_noise_and_gradients_of_the_size_are_taken():
    made = verification_images(options(image_size=(16, 24)))
    assert (made.shape, made.dtype) == ((2, 16, 24, 3), np.uint8)
    assert (made[1].min(), made[1].max()) == (0, 255)
    np.testing.assert_array_equal(made, verification_images(options(image_size=(16, 24))))


def test_the_first_four_images_of_an_array_are_taken():
    given = np.random.default_rng(0).integers(0, 256, (6, 1, 2, 3), dtype=np.uint8)
    np.testing.assert_array_equal(verification_images(options(), given), given[:4])


def test_the_first_four_images_of_a_dataset_are_taken_and_no_more_is_read():
    given = np.random.default_rng(0).integers(0, 256, (6, 1, 2, 3), dtype=np.uint8)

    def dataset():
        for start in (0, 3):
            yield given[start : start + 3].astype("float32"), np.zeros((3, 1, 2), np.uint8)
        raise AssertionError("read too far")

    np.testing.assert_array_equal(verification_images(options(), dataset()), given[:4])
