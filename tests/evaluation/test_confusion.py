"""Counts by hand, and scores that follow from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_hrnet.evaluation import confusion_matrix, intersection_over_union

pytestmark = pytest.mark.once

TRUTH = np.array([[0, 0, 1], [2, 255, 1]], dtype=np.uint8)
PREDICTION = np.array([[0, 1, 1], [0, 1, 1]], dtype=np.uint8)


def test_rows_are_the_truth_and_columns_the_prediction():
    assert confusion_matrix(TRUTH, PREDICTION, 4).tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_counts_are_int64():
    assert confusion_matrix(TRUTH, PREDICTION, 4).dtype == np.int64


def test_iou_is_the_intersection_over_the_union_and_nan_where_a_class_is_absent():
    iou = intersection_over_union(confusion_matrix(TRUTH, PREDICTION, 4))
    # Class 0: one pixel of both, one only true, one only predicted. Class 2 is never predicted. Class 3 is nowhere.
    np.testing.assert_array_equal(iou, [1 / 3, 2 / 3, 0, np.nan])
    assert iou.dtype == np.float64


def test_a_class_that_is_only_predicted_scores_zero():
    assert intersection_over_union(confusion_matrix([0, 0], [0, 1], 2)).tolist() == [0.5, 0.0]


def test_a_prediction_on_an_ignored_pixel_counts_nowhere():
    assert confusion_matrix([255, 255], [0, 1], 2).sum() == 0


def test_the_last_class_beside_the_ignored_label_is_counted():
    assert confusion_matrix([254, 255], [254, 0], 255)[254, 254] == 1


def test_counts_beyond_32_bits_stay_exact():
    confusion = confusion_matrix([0] * 3, [0] * 3, 1)
    for _ in range(40):
        confusion = confusion + confusion
    assert confusion[0, 0] == 3 * 2**40
    assert intersection_over_union(confusion).tolist() == [1.0]


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 255]), st.integers(0, 3)), max_size=50))
def test_the_matrix_is_what_a_loop_over_the_pixels_counts(pixels):
    expected = [[0] * 4 for _ in range(4)]
    for true, predicted in pixels:
        if true != 255:
            expected[true][predicted] += 1
    truth, prediction = np.array(pixels, dtype=np.uint8).reshape(-1, 2).T
    assert confusion_matrix(truth, prediction, 4).tolist() == expected


def test_a_label_beyond_the_classes_is_refused():
    with pytest.raises(ValueError, match=r"truth with label 40 for 19 classes. Expected 0 to 18, or 255 .* Map"):
        confusion_matrix([0, 40], [0, 0], 19)


def test_a_negative_label_is_refused():
    with pytest.raises(ValueError, match="truth with label -1 for 19 classes"):
        confusion_matrix([0, -1], [0, 0], 19)


def test_a_prediction_beyond_the_classes_is_refused():
    with pytest.raises(ValueError, match=r"prediction with label 2, 3 for 2 classes. Expected 0 to 1"):
        confusion_matrix([0, 1], [2, 3], 2)


def test_probabilities_are_refused_as_labels():
    with pytest.raises(TypeError, match=r"prediction of dtype float64. Expected integers"):
        confusion_matrix([0, 1], [0.0, 1.0], 2)


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\) and a prediction of shape \(3,\)"):
        confusion_matrix([0, 1], [0, 1, 1], 2)


@pytest.mark.parametrize("num_classes", [0, 256])
def test_a_number_of_classes_that_bytes_cannot_tell_apart_is_refused(num_classes):
    with pytest.raises(ValueError, match=f"num_classes={num_classes}. Expected 1 to 255"):
        confusion_matrix([0], [0], num_classes)
