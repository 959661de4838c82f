"""Scores that follow from counts, by hand, and the forms they are written in."""

import json
import math

import numpy as np
import pytest

from keras_hrnet.data_sets.cityscapes import CLASS_NAMES
from keras_hrnet.evaluation.official import CityscapesScores, InstanceCounts

pytestmark = pytest.mark.once

UNLABELED, ROAD, SIDEWALK, PARKING, PERSON, RIDER, CAR, TRUCK, CARAVAN = 0, 7, 8, 9, 24, 25, 26, 27, 29


def scores(pixels, hits=(), misses=(), category_hits=(), category_misses=()):
    """Scores of pixels by true and predicted label id, and of scaled pixels by label id."""
    confusion = np.zeros((34, 34), np.int64)
    for pair, number in pixels.items():
        confusion[pair] = number
    arrays = []
    for values in (hits, misses, category_hits, category_misses):
        array = np.zeros(34)
        for label, value in dict(values).items():
            array[label] = value
        arrays.append(array)
    return CityscapesScores(confusion, InstanceCounts(*arrays), num_images=1)


def test_a_class_score_is_the_intersection_over_the_union():
    measured = scores({(ROAD, ROAD): 6, (ROAD, SIDEWALK): 1, (SIDEWALK, ROAD): 3}).class_scores
    assert tuple(sorted(measured)) == tuple(sorted(CLASS_NAMES))
    assert (measured["road"], measured["sidewalk"]) == (6 / 10, 0)
    assert sum(math.isnan(score) for score in measured.values()) == 17


def test_a_class_predicted_on_an_ignored_truth_costs_nothing():
    measured = scores({(ROAD, ROAD): 6, (UNLABELED, ROAD): 50, (PARKING, SIDEWALK): 2})
    assert measured.class_scores["road"] == 1
    assert math.isnan(measured.class_scores["sidewalk"])
    assert measured.category_scores["flat"] == 1
    assert measured.pixel_accuracy == 1


def test_an_ignored_label_predicted_on_a_class_is_a_miss():
    measured = scores({(ROAD, ROAD): 6, (ROAD, PARKING): 2})
    assert measured.class_scores["road"] == 6 / 8
    assert measured.category_scores["flat"] == 6 / 8
    assert measured.pixel_accuracy == 6 / 8


def test_within_a_category_classes_may_be_taken_for_each_other():
    measured = scores({(ROAD, ROAD): 6, (ROAD, SIDEWALK): 1, (SIDEWALK, ROAD): 3, (ROAD, CAR): 2}).category_scores
    assert tuple(measured) == ("flat", "construction", "object", "nature", "sky", "human", "vehicle")
    assert (measured["flat"], measured["vehicle"]) == (10 / 12, 0)
    assert math.isnan(measured["human"])


def test_an_instance_score_has_scaled_hits_and_misses_and_plain_false_alarms():
    measured = scores({(ROAD, CAR): 5, (UNLABELED, CAR): 9, (CAR, CAR): 100}, {CAR: 10}, {CAR: 25})
    assert measured.class_instance_scores["car"] == 10 / (10 + 25 + 5)
    assert math.isnan(measured.class_instance_scores["bus"])
    assert len(measured.class_instance_scores) == 8


def test_a_category_instance_score_adds_its_classes_and_counts_caravans_as_vehicles():
    measured = scores(
        {(ROAD, CARAVAN): 4, (CARAVAN, CAR): 9, (CAR, TRUCK): 3},
        category_hits={CAR: 10, TRUCK: 20},
        category_misses={CAR: 1, TRUCK: 5},
    )
    assert measured.category_instance_scores["vehicle"] == 30 / (30 + 6 + 4)
    assert math.isnan(measured.category_instance_scores["human"])


def test_an_average_leaves_out_what_is_absent():
    measured = scores({(ROAD, ROAD): 6, (PERSON, RIDER): 2}, {PERSON: 1}, {PERSON: 1}, {PERSON: 2}, {})
    assert measured.average_class_score == 1 / 3
    assert measured.average_category_score == 1
    assert measured.average_class_instance_score == 1 / 4
    assert measured.average_category_instance_score == 1


def test_without_any_class_everything_is_nan():
    measured = scores({(UNLABELED, ROAD): 1})
    assert math.isnan(measured.average_class_score)
    assert math.isnan(measured.average_category_instance_score)
    assert math.isnan(measured.pixel_accuracy)


def test_scores_without_instances_have_no_instance_scores():
    measured = CityscapesScores(scores({(CAR, CAR): 2, (ROAD, CAR): 2}).confusion, None, 1)
    assert measured.class_scores["car"] == 1 / 2
    assert all(map(math.isnan, measured.class_instance_scores.values()))
    assert all(map(math.isnan, measured.category_instance_scores.values()))
    assert math.isnan(measured.to_dict()["averageScoreInstClasses"])


def test_the_dict_has_all_labels_and_categories():
    written = scores({(ROAD, ROAD): 6, (UNLABELED, ROAD): 2}).to_dict()
    assert written["priors"]["road"] == 6 / 8
    assert written["labels"]["bicycle"] == 33
    for name in ("priors", "labels", "classScores", "classInstScores"):
        assert len(written[name]) == 34
    for name in ("categoryScores", "categoryInstScores"):
        assert len(written[name]) == 8
    assert written["confMatrix"][ROAD][ROAD] == 6


def test_the_written_file_reads_back_as_the_dict(tmp_path):
    measured = scores({(ROAD, ROAD): 6, (CAR, ROAD): 2}, {CAR: 0.1}, {CAR: 0.2})
    path = tmp_path / "evaluationResults" / "result.json"
    measured.write(path)
    assert "NaN" in path.read_text()
    # A NaN is unequal to itself, so the texts are compared.
    assert json.dumps(json.loads(path.read_text())) == json.dumps(measured.to_dict(), sort_keys=True)


def test_the_table_shows_classes_categories_and_averages():
    text = str(scores({(ROAD, ROAD): 6, (ROAD, CAR): 2, (CAR, CAR): 2}, {CAR: 2}, {CAR: 2}, {CAR: 4}))
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["class", "IoU", "%", "iIoU", "%"]
    assert ["road", "75.00", "–"] in lines
    assert ["car", "50.00", "33.33"] in lines
    assert ["average", "class", "62.50", "33.33"] in lines
    assert ["vehicle", "50.00", "66.67"] in lines
    assert ["average", "category", "62.50", "66.67"] in lines
    assert text.endswith("pixel accuracy 80.00 %, 1 image")
    for name in CLASS_NAMES:
        assert f"\n{name} " in text
