import collections

import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.data.pipeline.sampling import EpochPlan

pytestmark = pytest.mark.once

POINTS = (
    np.array([[image, 3, image] for image in range(5)]),
    np.zeros((0, 3), int),
    np.array([[7, 1, 2], [8, 4, 5]]),
)


def epochs(plan, numbers):
    """Draws epochs inside `tf.data`, traced once: of each, image, row and column of each place, and the seeds."""
    places = tf.data.Dataset.range(plan.num_places)
    numbers = tf.data.Dataset.from_tensor_slices(np.int64(numbers))
    drawn = numbers.map(lambda number: places.map(lambda place: plan.pick(place, number)))
    for picks in drawn:
        picks = list(picks.as_numpy_iterator())
        yield [(int(index), *focus.tolist()) for index, focus, _ in picks], [tuple(seed.tolist()) for *_, seed in picks]


def epoch(plan, number=0):
    return next(epochs(plan, [number]))


def test_without_shares_an_epoch_is_all_images_in_another_order_each_time():
    plan = EpochPlan(20, seed=3)
    (first, _), (second, _) = epochs(plan, [0, 1])
    assert sorted(index for index, *_ in first) == list(range(20))
    assert sorted(first) == sorted(second)
    assert first != second
    assert all(focus == [-1, -1] for _, *focus in first)


def test_the_seed_decides():
    assert epoch(EpochPlan(20, seed=3)) == epoch(EpochPlan(20, seed=3))
    assert epoch(EpochPlan(20, seed=3))[0] != epoch(EpochPlan(20, seed=4))[0]


def test_a_place_is_the_same_eagerly_and_inside_tf_data():
    plan = EpochPlan(10, seed=1, points=POINTS, class_uniform=0.5, num_coarse_images=4, coarse=0.2)
    place = tf.constant(6, tf.int64)
    index, focus, _ = plan.pick(place, tf.constant(2, tf.int64))
    assert epoch(plan, 2)[0][6] == (int(index), *focus.numpy().tolist())


def test_every_place_has_a_seed_of_its_own():
    plan = EpochPlan(40, seed=1, points=POINTS, class_uniform=0.5)
    assert len({seed for _, seeds in epochs(plan, [0, 1]) for seed in seeds}) == 80


def test_class_uniform_places_show_the_points_of_the_classes_in_turn():
    plan = EpochPlan(40, seed=1, points=POINTS, class_uniform=0.5)
    places = epoch(plan)[0]
    focused = collections.Counter(place for place in places if place[1] >= 0)
    assert sum(focused.values()) == 20
    # Ten places for each of the two classes that have points: 5 points twice, and 2 points five times.
    assert [focused[tuple(point)] for point in POINTS[0].tolist()] == [2] * 5
    assert [focused[tuple(point)] for point in POINTS[2].tolist()] == [5] * 2
    rest = [index for index, row, _ in places if row < 0]
    assert len(set(rest)) == 20


def test_points_of_a_class_are_drawn_in_another_order_each_epoch():
    plan = EpochPlan(4, seed=1, points=POINTS[:1], class_uniform=0.5)
    drawn = [frozenset(place for place in places if place[1] >= 0) for places, _ in epochs(plan, range(8))]
    assert all(len(points) == 2 for points in drawn)
    assert len(set(drawn)) > 1


def test_all_fine_images_come_in_the_long_run():
    plan = EpochPlan(10, seed=1, points=POINTS, class_uniform=0.5, num_coarse_images=3, coarse=0.3)
    drawn = epochs(plan, range(60))
    seen = {index for places, _ in drawn for index, row, _ in places if row < 0 and index < 10}
    assert seen == set(range(10))


def test_coarse_images_are_gone_through_whole_before_one_comes_again():
    plan = EpochPlan(10, seed=1, num_coarse_images=9, coarse=0.3)
    drawn = [[index - 10 for index, *_ in places if index >= 10] for places, _ in epochs(plan, range(6))]
    assert [len(images) for images in drawn] == [3] * 6
    first, second = ([image for images in part for image in images] for part in (drawn[:3], drawn[3:]))
    assert sorted(first) == sorted(second) == list(range(9))
    assert first != second
    fine = [index for index, *_ in epoch(plan)[0] if index < 10]
    assert len(set(fine)) == 7


def test_shares_of_1_leave_no_place_for_others():
    assert all(row >= 0 for _, row, _ in epoch(EpochPlan(10, seed=1, points=POINTS, class_uniform=1.0))[0])
    coarse = EpochPlan(4, seed=1, num_coarse_images=2, coarse=1.0)
    assert sorted(index for index, *_ in epoch(coarse)[0]) == [4, 4, 5, 5]


def test_classes_without_any_point_leave_all_places_to_images():
    plan = EpochPlan(6, seed=1, points=POINTS[1:2], class_uniform=0.5)
    assert sorted(index for index, *_ in epoch(plan)[0]) == list(range(6))
