"""Pixels near outlines: by hand, against a plain loop, and against the published recipe in OpenCV."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from keras_hrnet.evaluation import confusion_matrix
from keras_hrnet.evaluation.boundary import BOUNDARY_RATIO, BoundaryCounts, boundary_counts

pytestmark = pytest.mark.once

ONE_PIXEL = 0.01
# Two classes side by side, six rows; the prediction takes the left one for a column wider than it is.
TRUTH = np.array([[0, 0, 0, 0, 1, 1, 1, 1]] * 6, dtype=np.uint8)
PREDICTION = np.array([[0, 0, 0, 0, 0, 1, 1, 1]] * 6, dtype=np.uint8)


@st.composite
def _maps(draw):
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    # Few pixels of another label than the most common: else no pixel is far from an outline.
    labels = {
        name: draw(hypothesis_numpy.arrays(np.uint8, shape, elements=st.sampled_from(choice), fill=st.just(0)))
        for name, choice in (("truth", [0, 1, 2, 3, 255]), ("prediction", [0, 1, 2, 3]))
    }
    ratio = min(1.0, draw(st.integers(1, 4)) / math.sqrt(shape[0] ** 2 + shape[1] ** 2))
    return labels["truth"], labels["prediction"], ratio


def _plain_counts(truth, prediction, num_classes, ratio):
    height, width = truth.shape
    distance = max(1, round(ratio * math.sqrt(height**2 + width**2)))

    def is_near(labels, row, column, label):
        for i in range(row - distance, row + distance + 1):
            for j in range(column - distance, column + distance + 1):
                inside = 0 <= i < height and 0 <= j < width
                if not inside or truth[i, j] == 255 or labels[i, j] != label:
                    return True
        return False

    counts = [[0] * num_classes for _ in range(3)]
    for label in range(num_classes):
        for row in range(height):
            for column in range(width):
                if truth[row, column] == 255:
                    continue
                near_truth = truth[row, column] == label and is_near(truth, row, column, label)
                near_prediction = prediction[row, column] == label and is_near(prediction, row, column, label)
                counts[0][label] += int(near_truth and near_prediction)
                counts[1][label] += int(near_truth)
                counts[2][label] += int(near_prediction)
    return counts


def _opencv_near(labels, label, distance):
    mask = (labels == label).astype(np.uint8)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
    return (mask - eroded[1:-1, 1:-1]).astype(bool)


def _blobs(seed, shape, num_classes):
    generator = np.random.default_rng(seed)
    scores = [
        cv2.resize(generator.standard_normal((6, 8)), shape[::-1], interpolation=cv2.INTER_CUBIC)
        for _ in range(num_classes)
    ]
    return np.stack(scores)


def test_near_pixels_of_two_classes_are_those_counted_by_hand():
    counts = boundary_counts(TRUTH, PREDICTION, 3, ONE_PIXEL)
    # Truth, left class: 6 by 4 pixels less the 4 by 2 inside; prediction: 6 by 5 less 4 by 3. Of the 6 by 4 pixels that
    # both call left, 4 by 3 are inside in one or the other.
    assert counts.pixels.tolist() == [[12, 10, 0], [16, 16, 0], [18, 14, 0]]
    assert counts.pixels.dtype == np.int64


def test_iou_is_the_intersection_over_the_union_and_nan_where_a_class_is_absent():
    iou = boundary_counts(TRUTH, PREDICTION, 3, ONE_PIXEL).iou
    np.testing.assert_array_equal(iou, [12 / 22, 10 / 20, np.nan])
    assert iou.dtype == np.float64


def test_a_class_that_is_only_predicted_scores_zero():
    assert boundary_counts([[0, 0]], [[0, 1]], 2).iou.tolist() == [0.5, 0.0]


def test_a_pixel_near_two_different_outlines_of_its_class_is_in_the_intersection():
    truth = np.zeros((5, 5), np.uint8)
    prediction = truth.copy()
    truth[2, 1], prediction[2, 3] = 1, 1
    # Far from any outline are three pixels of the truth, in the column of the prediction's spot, and the other way
    # round; the spots are two of these six. The three between are near a spot that is not the same.
    assert boundary_counts(truth, prediction, 2, ONE_PIXEL).pixels[:, 0].tolist() == [25 - 6, 24 - 3, 24 - 3]


@pytest.mark.parametrize(
    ("shape", "ratio", "distance"),
    [
        ((30, 40), 0.05, 2),  # 2.5: half to even, as Python rounds
        ((30, 40), 0.052, 3),
        ((30, 40), 0.028, 1),
        ((30, 40), 1e-9, 1),
        ((40, 30), 0.06, 3),
        ((30, 40), 1.0, 15),
        ((1024, 2048), BOUNDARY_RATIO, 11),
    ],
)
def test_the_edge_of_the_image_is_an_outline_at_the_rounded_distance(shape, ratio, distance):
    labels = np.zeros(shape, np.uint8)
    height, width = shape
    near = height * width - (height - 2 * distance) * (width - 2 * distance)
    assert boundary_counts(labels, labels, 1, ratio).pixels.tolist() == [[near]] * 3


def test_an_ignored_pixel_counts_nowhere_and_ends_the_classes_around_it():
    truth = np.zeros((7, 7), np.uint8)
    truth[3, 3] = 255
    # The 24 pixels at the edge, and the 8 around the ignored one.
    counts = boundary_counts(truth, np.zeros((7, 7), np.uint8), 2, ONE_PIXEL)
    assert counts.pixels.tolist() == [[32, 0]] * 3


def test_the_last_class_ends_at_the_ignored_label():
    truth = np.full((7, 7), 254, np.uint8)
    truth[3, 3] = 255
    assert boundary_counts(truth, np.full((7, 7), 254), 255, ONE_PIXEL).pixels[:, 254].tolist() == [32] * 3


def test_a_prediction_on_an_ignored_pixel_may_be_anything():
    truth = np.where(np.eye(6, dtype=bool), 255, TRUTH[:, :6])
    prediction = np.where(np.eye(6, dtype=bool), 300, PREDICTION[:, :6])
    expected = boundary_counts(truth, PREDICTION[:, :6], 2).pixels
    assert boundary_counts(truth, prediction, 2).pixels.tolist() == expected.tolist()


@given(_maps())
def test_the_counts_are_those_of_a_loop_over_classes_and_pixels(maps):
    truth, prediction, ratio = maps
    assert boundary_counts(truth, prediction, 4, ratio).pixels.tolist() == _plain_counts(truth, prediction, 4, ratio)


@given(_maps())
def test_a_prediction_that_is_right_wherever_pixels_count_scores_one(maps):
    truth, prediction, ratio = maps
    iou = boundary_counts(truth, np.where(truth == 255, prediction, truth), 4, ratio).iou
    assert set(iou[~np.isnan(iou)]) <= {1.0}


@given(_maps())
def test_a_distance_beyond_the_image_counts_every_pixel(maps):
    truth, prediction, _ = maps
    intersection, near_truth, near_prediction = boundary_counts(truth, prediction, 4, 1.0).pixels
    confusion = confusion_matrix(truth, prediction, 4)
    np.testing.assert_array_equal(intersection, np.diagonal(confusion))
    np.testing.assert_array_equal(near_truth, confusion.sum(axis=1))
    np.testing.assert_array_equal(near_prediction, confusion.sum(axis=0))


@pytest.mark.parametrize("distance", [1, 2, 3, 6, 11])
def test_the_counts_are_those_of_the_published_recipe_in_opencv(distance):
    shape = (180, 240)
    scores = _blobs(0, shape, 5)
    truth = scores.argmax(axis=0).astype(np.uint8)
    prediction = (scores + 0.3 * _blobs(1, shape, 5)).argmax(axis=0).astype(np.uint8)
    counts = boundary_counts(truth, prediction, 5, distance / 300)
    for label in range(5):
        near_truth, near_prediction = (_opencv_near(labels, label, distance) for labels in (truth, prediction))
        expected = [np.sum(near_truth & near_prediction), near_truth.sum(), near_prediction.sum()]
        assert counts.pixels[:, label].tolist() == expected
    assert np.all((counts.iou > 0.1) & (counts.iou < 1))


def test_a_batch_counts_as_the_sum_of_its_images():
    truths, predictions = np.stack([TRUTH, PREDICTION, TRUTH]), np.stack([PREDICTION, TRUTH, TRUTH])
    total = BoundaryCounts(ONE_PIXEL, np.zeros((3, 2), np.int64))
    for truth, prediction in zip(truths, predictions, strict=True):
        total += boundary_counts(truth, prediction, 2, ONE_PIXEL)
    assert boundary_counts(truths, predictions, 2, ONE_PIXEL).pixels.tolist() == total.pixels.tolist()
    assert total.ratio == ONE_PIXEL


def test_an_empty_batch_counts_nothing():
    empty = np.zeros((0, 4, 4), np.uint8)
    assert boundary_counts(empty, empty, 2).pixels.tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint16])
def test_any_integers_count_alike(dtype):
    counts = boundary_counts(TRUTH.astype(dtype), PREDICTION.astype(dtype), 2, ONE_PIXEL)
    assert counts.pixels.tolist() == [[12, 10], [16, 16], [18, 14]]


def test_the_arrays_of_the_caller_stay_as_they_are():
    truth, prediction = TRUTH.copy(), PREDICTION.copy()
    truth[2, 2] = 255
    before = truth.copy()
    boundary_counts(truth, prediction, 2)
    np.testing.assert_array_equal(truth, before)
    np.testing.assert_array_equal(prediction, PREDICTION)


@pytest.mark.parametrize("ratio", [0, -0.1, 11, float("nan")])
def test_a_ratio_that_is_no_share_of_the_diagonal_is_refused(ratio):
    with pytest.raises(ValueError, match=rf"ratio={ratio}. Expected more than 0 and at most 1"):
        boundary_counts(TRUTH, PREDICTION, 2, ratio)


def test_counts_at_another_ratio_are_not_added():
    with pytest.raises(ValueError, match=r"2 classes at ratio 0.02 to add to counts of 2 classes at ratio 0.01"):
        boundary_counts(TRUTH, PREDICTION, 2, 0.01) + boundary_counts(TRUTH, PREDICTION, 2, 0.02)


def test_counts_of_other_classes_are_not_added():
    with pytest.raises(ValueError, match=r"counts of 3 classes at ratio 0.01 to add to counts of 2 classes"):
        boundary_counts(TRUTH, PREDICTION, 2, 0.01) + boundary_counts(TRUTH, PREDICTION, 3, 0.01)


def test_counts_and_a_number_are_not_added():
    with pytest.raises(TypeError, match="unsupported operand"):
        boundary_counts(TRUTH, PREDICTION, 2) + 1


@pytest.mark.parametrize("shape", [(4,), (1, 2, 4, 4)])
def test_labels_that_are_no_images_are_refused(shape):
    labels = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match=r"labels of shape \(.*\). Expected \(height, width\) or \(batch"):
        boundary_counts(labels, labels, 2)


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"truth with label 1 for 1 classes"):
        boundary_counts(TRUTH, np.zeros_like(TRUTH), 1)
    with pytest.raises(ValueError, match=r"prediction with label 1 for 1 classes"):
        boundary_counts(np.zeros_like(TRUTH), PREDICTION, 1)


def test_probabilities_are_refused_as_labels():
    with pytest.raises(TypeError, match=r"prediction of dtype float32. Expected integers"):
        boundary_counts(TRUTH, PREDICTION.astype(np.float32), 2)


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"shape \(6, 8\) and a prediction of shape \(6, 7\)"):
        boundary_counts(TRUTH, PREDICTION[:, :7], 2)


def test_more_classes_than_labels_are_refused():
    with pytest.raises(ValueError, match=r"num_classes=256. Expected 1 to 255"):
        boundary_counts(TRUTH, PREDICTION, 256)
