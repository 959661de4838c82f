import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.data.transforms.placement import (
    Axis,
    placed,
    published_axes,
    rounded_axes,
    scaled_position,
    shown_positions,
    stepped_axes,
)

pytestmark = pytest.mark.once


def published_size(height, width, scale):
    """The published `multi_scale_aug`, line by line, with the longer side for `base_size`."""
    long_size = int(max(height, width) * scale + 0.5)
    if height > width:
        return long_size, int(width * long_size / height + 0.5)
    return int(height * long_size / width + 0.5), long_size


def seeded(number):
    return tf.constant([number, 0], tf.int64)


class TestSizes:
    def test_a_stepped_size_is_rounded_down_and_its_scale_is_exact(self):
        rows, columns = stepped_axes((1024, 2048), (11, 10))
        assert (rows.frame, columns.frame) == (1126, 2252)
        assert (rows.numerator, rows.denominator) == (11, 10)

    def test_any_other_size_is_rounded_to_the_nearest_and_half_up(self):
        rows, columns = rounded_axes((33, 50), tf.constant(0.75, tf.float64))
        assert (rows.frame, columns.frame) == (25, 38)  # 24.75 and 37.5
        assert (rows.numerator, rows.denominator) == (25, 33)

    @pytest.mark.parametrize("size", [(1024, 2048), (33, 49), (49, 33), (45, 45), (97, 1), (375, 1242)])
    def test_the_published_size_is_that_of_the_published_code(self, size):
        for i in range(17):
            rows, columns = published_axes(size, tf.constant((5 + i) / 10, tf.float64))
            assert (rows.frame, columns.frame) == published_size(*size, 0.5 + i / 10)

    def test_no_size_is_zero(self):
        for rows, columns in (
            stepped_axes((1, 40), (1, 2)),
            rounded_axes((1, 40), tf.constant(0.2, tf.float64)),
            published_axes((1, 40), tf.constant(0.2, tf.float64)),
        ):
            assert rows.frame == 1
            assert columns.frame in (8, 20)


class TestPlaced:
    def test_all_places_inside_occur_equally_often(self):
        place = tf.function(lambda i: placed(Axis(7, 7, 1, 1), 4, seed=tf.stack([i, 0])))
        starts = [int(place(tf.constant(i, tf.int64)).start) for i in range(400)]
        counts = np.bincount(starts)
        assert len(counts) == 4
        assert counts.min() > 70

    def test_an_image_smaller_than_the_crop_is_shown_whole(self):
        axis = placed(Axis(7, 7, 1, 1), 9, seed=seeded(0))
        assert (int(axis.start), int(axis.count)) == (0, 7)

    def test_windows_around_a_focus_are_all_that_contain_it(self):
        place = tf.function(lambda i: placed(Axis(20, 20, 1, 1), 4, seed=tf.stack([i, 0]), focus=tf.constant(2)))
        starts = [int(place(tf.constant(i, tf.int64)).start) for i in range(200)]
        assert np.bincount(starts).min() > 40
        assert set(starts) == {0, 1, 2}

    def test_a_negative_focus_is_none(self):
        arguments = dict(seed=seeded(3))
        axis = Axis(20, 20, 1, 1)
        assert placed(axis, 4, focus=tf.constant(-1), **arguments).start == placed(axis, 4, **arguments).start

    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(st.integers(1, 60), st.integers(1, 60), st.integers(5, 21), st.integers(0, 10**6))
    def test_a_focus_is_always_inside(self, length, crop_length, tenths, seed):
        focus = seed % length
        axis = stepped_axes((length, 1), (tenths, 10))[0]
        axis = placed(axis, crop_length, seed=seeded(seed), focus=tf.constant(focus))
        assert 0 <= axis.start <= axis.start + axis.count <= axis.frame
        assert axis.start <= scaled_position(axis, focus) < axis.start + axis.count
        # The scaled pixel lies on the source pixel, but for what rounding the size down cut off.
        center = (int(scaled_position(axis, focus)) + 0.5) * 10 / tenths
        assert abs(center - focus - 0.5) <= 5 / tenths + 10 / tenths * (focus == length - 1)


def test_a_mirrored_axis_shows_its_positions_backwards():
    axis = Axis(9, 9, 1, 1, start=2, count=3)
    np.testing.assert_array_equal(shown_positions(axis), [2, 3, 4])
    np.testing.assert_array_equal(shown_positions(axis._replace(mirrored=True)), [4, 3, 2])
