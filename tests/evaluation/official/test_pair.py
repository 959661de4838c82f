"""Counts of one pair, by hand and against a plain loop over the pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_hrnet.data_sets.cityscapes import LABELS
from keras_hrnet.evaluation.official import count_pair

pytestmark = pytest.mark.once

ROAD, SKY, PERSON, RIDER, CAR, CARAVAN = 7, 23, 24, 25, 26, 29
# cityscapesScripts, `args.avgClassSize`.
PERSON_PIXELS, CAR_PIXELS = 3462.4756337644, 12794.0202738185
LABEL_OF_ID = {label.id: label for label in LABELS}
AVERAGE = {
    "bicycle": 4672.3249222261,
    "motorcycle": 6298.7200839748,
    "rider": 3930.4788056518,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "car": CAR_PIXELS,
    "person": PERSON_PIXELS,
    "truck": 27855.1264367816,
}


def labels(*rows):
    return np.array(rows, dtype=np.uint8)


def instances(*rows):
    return np.array(rows, dtype=np.uint16)


def test_rows_are_the_true_ids_and_columns_the_predicted_ones():
    counts = count_pair(labels([ROAD, ROAD, 0], [SKY, SKY, SKY]), labels([ROAD, 33, 5], [SKY, SKY, ROAD]))
    assert counts.confusion.dtype == np.int64
    assert counts.confusion.shape == (34, 34)
    where = np.argwhere(counts.confusion).tolist()
    assert where == [[0, 5], [ROAD, ROAD], [ROAD, 33], [SKY, ROAD], [SKY, SKY]]
    assert counts.confusion[SKY, SKY] == 2
    assert counts.confusion.sum() == 6
    assert counts.instances is None


def test_each_instance_is_scaled_to_the_mean_size_of_its_class():
    truth = labels([PERSON] * 6)
    prediction = labels([PERSON, PERSON, ROAD, ROAD, PERSON, RIDER])
    # A person of four pixels, half of them found, and one of two pixels: one found, one taken for a rider.
    counts = count_pair(truth, prediction, instances([24000] * 4 + [24001] * 2)).instances
    expected = {
        "class_hits": PERSON_PIXELS * (2 / 4 + 1 / 2),
        "class_misses": PERSON_PIXELS * (2 / 4 + 1 / 2),
        "category_hits": PERSON_PIXELS * (2 / 4 + 2 / 2),
        "category_misses": PERSON_PIXELS * (2 / 4),
    }
    for name, value in expected.items():
        pixels = getattr(counts, name)
        assert (pixels.dtype, pixels.shape) == (np.float64, (34,))
        assert pixels[PERSON] == pytest.approx(value, rel=1e-15)
        assert np.count_nonzero(pixels) == 1


def test_a_group_without_single_instances_is_no_instance():
    counts = count_pair(labels([PERSON, CAR]), labels([PERSON, CAR]), instances([24, 26001])).instances
    assert np.flatnonzero(counts.class_hits).tolist() == [CAR]


def test_instances_of_a_label_that_is_not_scored_are_left_out():
    counts = count_pair(labels([CARAVAN]), labels([CAR]), instances([29001])).instances
    assert not counts.class_misses.any()
    assert not counts.category_hits.any()


def test_a_car_taken_for_a_caravan_is_still_a_vehicle():
    counts = count_pair(labels([CAR]), labels([CARAVAN]), instances([26001])).instances
    assert (counts.class_hits[CAR], counts.category_hits[CAR]) == (0, CAR_PIXELS)


def test_the_instance_image_alone_says_which_class_an_instance_has():
    counts = count_pair(labels([ROAD]), labels([CAR]), instances([26001]))
    assert counts.confusion[ROAD, CAR] == 1
    assert counts.instances.class_hits[CAR] == CAR_PIXELS


def test_train_ids_become_label_ids_and_255_becomes_unlabeled():
    counts = count_pair(labels([ROAD, SKY, SKY]), labels([0, 10, 255]), instances([7, 23, 23]), train_ids=True)
    assert counts.confusion[[ROAD, SKY, SKY], [ROAD, SKY, 0]].tolist() == [1, 1, 1]


def test_pairs_add_up():
    first = count_pair(labels([CAR]), labels([CAR]), instances([26001]))
    second = count_pair(labels([CAR, CAR]), labels([CAR, ROAD]), instances([26001, 26001]))
    total = first + second
    assert total.confusion[CAR, [CAR, ROAD]].tolist() == [2, 1]
    assert total.instances.class_hits[CAR] == CAR_PIXELS * 1.5
    without = count_pair(labels([CAR]), labels([CAR])) + count_pair(labels([CAR]), labels([CAR]))
    assert without.confusion[CAR, CAR] == 2
    assert without.instances is None


def test_an_image_that_is_one_single_run_is_counted():
    assert count_pair(labels([ROAD]), labels([SKY])).confusion[ROAD, SKY] == 1


def test_an_image_in_columns_is_counted_as_one_in_rows():
    truth = np.arange(30, dtype=np.uint8).reshape(5, 6)
    prediction = np.asfortranarray(truth)
    assert np.trace(count_pair(truth, prediction).confusion) == 30


def loop(truth, prediction, instances):
    """Counts one pixel after the other, and then one instance after the other."""
    confusion = np.zeros((34, 34), np.int64)
    found = {}
    for true, predicted, instance in zip(truth.ravel(), prediction.ravel(), instances.ravel(), strict=True):
        confusion[true, predicted] += 1
        if instance > 1000:
            found.setdefault(int(instance), []).append(int(predicted))
    scaled = np.zeros((4, 34))
    for instance, predicted in found.items():
        label = LABEL_OF_ID[instance // 1000]
        if not label.ignore_in_eval:
            one = AVERAGE[label.name] / len(predicted)
            for value in predicted:
                same = LABEL_OF_ID[value].category == label.category
                scaled[0 if value == label.id else 1, label.id] += one
                scaled[2 if same else 3, label.id] += one
    return confusion, scaled


pixels = st.tuples(
    st.integers(0, 33),
    st.integers(0, 33) | st.sampled_from([24, 25, 26, 29]),
    st.sampled_from([0, 7, 24, 999, 1000, 1001, 5001, 24000, 24001, 25001, 26001, 26002, 29001, 33999]),
)


@given(st.lists(st.tuples(pixels, st.integers(1, 4)), min_size=1, max_size=20))
def test_the_counts_are_what_a_loop_over_the_pixels_finds(runs):
    columns = np.array([pixel for pixel, length in runs for _ in range(length)]).T
    truth, prediction = (column[np.newaxis].astype(np.uint8) for column in columns[:2])
    ids = columns[np.newaxis, 2].astype(np.uint16)
    confusion, scaled = loop(truth, prediction, ids)
    counts = count_pair(truth, prediction, ids)
    np.testing.assert_array_equal(counts.confusion, confusion)
    found = counts.instances
    measured = [found.class_hits, found.class_misses, found.category_hits, found.category_misses]
    np.testing.assert_allclose(measured, scaled, rtol=1e-12)


def test_a_prediction_beyond_the_label_ids_is_refused():
    with pytest.raises(
        ValueError, match=r"the prediction with the value 40, 200 in 3 pixels. Expected label ids, 0 to"
    ):
        count_pair(labels([ROAD] * 4), labels([40, 200, 40, ROAD]))


def test_many_values_are_cut_short():
    with pytest.raises(ValueError, match=r"value 100, 101, 102, 103, 104, … in 100 pixels"):
        count_pair(labels([ROAD] * 100), labels(range(100, 200)))


def test_255_in_a_prediction_is_said_to_be_a_train_id():
    with pytest.raises(ValueError, match=r"255 in 1 pixels.*255 is the train id of ignored pixels.*`train_ids=True`"):
        count_pair(labels([ROAD]), labels([255]))


def test_a_label_id_among_train_ids_is_refused():
    with pytest.raises(ValueError, match=r"value 26 in 1 pixels. Expected train ids, 0 to 18, or 255.*leave out"):
        count_pair(labels([CAR]), labels([CAR]), train_ids=True)


def test_a_truth_beyond_the_label_ids_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"Received a.png with the value 255 in 1 pixels. .* Restore"):
        count_pair(labels([255]), labels([CAR]), names=("a.png", "b.png", "c.png"))


@pytest.mark.parametrize("value", [7001, 34001, 65535])
def test_an_instance_of_a_label_without_instances_is_refused(value):
    with pytest.raises(ValueError, match=f"the instances with the value {value}. Expected .* Restore the file"):
        count_pair(labels([CAR, CAR]), labels([CAR, CAR]), instances([26001, value]))


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"the prediction of shape \(1, 2\) for the truth of shape \(1, 1\)"):
        count_pair(labels([CAR]), labels([CAR, CAR]))
    with pytest.raises(ValueError, match=r"the instances of shape \(1, 2\) for the truth of shape \(1, 1\)"):
        count_pair(labels([CAR]), labels([CAR]), instances([26001, 26001]))


@pytest.mark.parametrize("shape", [(0, 5), (3,), (1, 2, 2)])
def test_what_is_no_single_image_is_refused(shape):
    with pytest.raises(ValueError, match=r"the truth of shape .* Expected \(height, width\)"):
        count_pair(np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))


def test_another_dtype_is_refused():
    with pytest.raises(TypeError, match=r"the prediction of dtype int64. Expected uint8. Convert it"):
        count_pair(labels([CAR]), np.array([[26]], np.int64))
    with pytest.raises(TypeError, match=r"the instances of dtype uint8. Expected uint16"):
        count_pair(labels([CAR]), labels([CAR]), labels([26]))
