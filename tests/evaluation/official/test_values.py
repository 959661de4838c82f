"""Which values are label ids and which are train ids."""

import numpy as np
import pytest

from keras_hrnet.data_sets.cityscapes import CLASSES
from keras_hrnet.evaluation.official.values import check_not_train_ids, mapping

pytestmark = pytest.mark.once

UNLABELED, ROAD, SIDEWALK, RAIL_TRACK, BUILDING, TRAFFIC_LIGHT, SKY = 0, 7, 8, 10, 11, 19, 23


def counted(*pixels):
    confusion = np.zeros((34, 34), np.int64)
    for true, predicted, number in pixels:
        confusion[true, predicted] += number
    return confusion


def test_each_train_id_has_its_label_id_and_every_other_value_is_unlabeled():
    table = mapping()
    assert table.dtype == np.uint8
    assert [table[label.train_id] for label in CLASSES] == [label.id for label in CLASSES]
    assert not table[len(CLASSES) :].any()


def test_more_than_half_of_the_pixels_with_unscored_labels_are_train_ids():
    with pytest.raises(ValueError, match=r"60 % have a label that no score includes, and none has a value above 18"):
        check_not_train_ids(counted((ROAD, UNLABELED, 5), (SKY, RAIL_TRACK, 1), (ROAD, SIDEWALK, 4)))


def test_half_of_the_pixels_with_unscored_labels_are_no_train_ids():
    check_not_train_ids(counted((ROAD, UNLABELED, 5), (SKY, RAIL_TRACK, 1), (ROAD, SIDEWALK, 6)))


def test_one_value_above_18_shows_label_ids():
    check_not_train_ids(counted((ROAD, UNLABELED, 50), (UNLABELED, TRAFFIC_LIGHT, 1)))


def test_what_is_predicted_on_an_ignored_truth_shows_nothing():
    check_not_train_ids(counted((UNLABELED, UNLABELED, 50), (ROAD, BUILDING, 1)))
