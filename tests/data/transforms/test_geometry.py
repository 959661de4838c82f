from fractions import Fraction

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.data.transforms.geometry import (
    image_of_any_scale,
    image_of_steps,
    nearest_label,
    nearest_sources,
    opencv_sources,
    rounded,
)
from keras_hrnet.data.transforms.placement import Axis, published_axes, rounded_axes, stepped_axes

pytestmark = pytest.mark.once

TENTHS = range(5, 22)


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.integers(0, 19, (height, width), dtype=np.uint8)


def whole(axes):
    return [axis._replace(start=0, count=int(axis.frame)) for axis in axes]


def windows(axes, size):
    """Crops in the middle and at the end of the scaled image."""
    counts = [min(length, int(axis.frame)) for length, axis in zip(size, axes, strict=True)]
    for share in (0.4, 1):
        starts = [int(share * (int(axis.frame) - count)) for axis, count in zip(axes, counts, strict=True)]
        yield [axis._replace(start=s, count=n) for axis, s, n in zip(axes, starts, counts, strict=True)]


def cut(array, axes):
    rows, columns = axes
    return array[rows.start : rows.start + rows.count, columns.start : columns.start + columns.count]


def blended_axis(array, number, axis):
    scale = Fraction(int(axis.numerator), int(axis.denominator))
    positions = [Fraction(2 * i + 1, 2) / scale - Fraction(1, 2) for i in range(int(axis.frame))]
    lower = [position.__floor__() for position in positions]
    weights = np.float64([position - floor for position, floor in zip(positions, lower, strict=True)])
    weights = weights.reshape([-1 if i == number else 1 for i in range(3)])
    below, above = (np.clip(np.add(lower, i), 0, array.shape[number] - 1) for i in (0, 1))
    return np.take(array, below, number) * (1 - weights) + np.take(array, above, number) * weights


def blended(image, axes):
    """The plain way in float64: scales the whole image with half-pixel bilinear."""
    return blended_axis(blended_axis(image.astype(np.float64), 0, axes[0]), 1, axes[1])


def moved(label, axes):
    """The plain way in fractions: scales the whole label with nearest."""
    sources = [
        [min(int(Fraction(2 * i + 1, 2) * int(axis.denominator) / int(axis.numerator)), axis.length - 1)
         for i in range(int(axis.frame))]
        for axis in axes
    ]  # fmt: skip
    return label[np.ix_(*sources)]


class TestImageOfSteps:
    @pytest.mark.parametrize("tenths", TENTHS)
    def test_it_equals_scaling_the_whole_image_and_cropping_then(self, tenths):
        image, _ = noise(43, 58)
        axes = stepped_axes((43, 58), Fraction(tenths, 10).as_integer_ratio())
        expected = blended(image, axes)
        for window in windows(axes, (24, 32)):
            # Rounded to whole gray levels; 0.51 leaves float32 positions 0.01.
            np.testing.assert_allclose(image_of_steps(image, *window), cut(expected, window), rtol=0, atol=0.51)

    @pytest.mark.parametrize("tenths", TENTHS)
    def test_it_equals_opencv(self, tenths):
        image, _ = noise(40, 60)
        axes = stepped_axes((40, 60), Fraction(tenths, 10).as_integer_ratio())
        expected = cv2.resize(image, (6 * tenths, 4 * tenths), interpolation=cv2.INTER_LINEAR)
        difference = np.abs(np.int32(image_of_steps(image, *whole(axes))) - expected)
        # OpenCV blends with weights of 11 bits.
        assert difference.max() <= 1
        assert (difference == 0).mean() > 0.85  # measured 0.868 and more; float64 agrees with all of ours

    def test_tiny_images_are_continued_as_far_as_a_period_reaches(self):
        image, _ = noise(3, 2)
        axes = stepped_axes((3, 2), (13, 10))
        np.testing.assert_allclose(image_of_steps(image, *whole(axes)), blended(image, axes), rtol=0, atol=0.51)

    def test_twice_the_size_worked_by_hand(self):
        image = np.tile(np.uint8([0, 100, 0, 0])[None, :, None], (4, 1, 3))
        rows, columns = stepped_axes((4, 4), (2, 1))
        image = image_of_steps(image, rows._replace(count=2), columns._replace(count=3))
        np.testing.assert_array_equal(image[:, :, 0], [[0, 25, 75]] * 2)


class TestImageOfAnyScale:
    @pytest.mark.parametrize("tenths", TENTHS)
    def test_it_equals_opencv_at_the_published_size(self, tenths):
        size = (33, 49) if tenths % 2 else (61, 40)
        image, _ = noise(*size)
        axes = published_axes(size, tf.constant(tenths / 10, tf.float64))
        frame = (int(axes[1].frame), int(axes[0].frame))
        expected = cv2.resize(image, frame, interpolation=cv2.INTER_LINEAR)
        for window in windows(axes, (24, 32)):
            difference = np.abs(np.int32(image_of_any_scale(image, *window)) - cut(expected, window))
            assert difference.max() <= 1
            assert (difference == 0).mean() > 0.85  # measured 0.868 and more; float64 agrees with all of ours

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(st.integers(2, 40), st.integers(2, 40), st.floats(0.2, 3.0))
    def test_it_equals_scaling_the_whole_image_and_cropping_then(self, height, width, scale):
        image, _ = noise(height, width)
        axes = rounded_axes((height, width), tf.constant(scale, tf.float64))
        expected = blended(image, axes)
        for window in windows(axes, (11, 13)):
            np.testing.assert_allclose(image_of_any_scale(image, *window), cut(expected, window), rtol=0, atol=0.52)


class TestNearestLabel:
    @pytest.mark.parametrize("tenths", TENTHS)
    def test_it_equals_scaling_the_whole_label_and_cropping_then(self, tenths):
        _, label = noise(43, 58)
        for axes in (
            stepped_axes((43, 58), Fraction(tenths, 10).as_integer_ratio()),
            rounded_axes((43, 58), tf.constant(tenths / 10 + 0.0123, tf.float64)),
        ):
            expected = moved(label, axes)
            for window in windows(axes, (24, 32)):
                result = nearest_label(label, *window, to_train_ids=tf.identity)
                np.testing.assert_array_equal(result, cut(expected, window))

    @pytest.mark.parametrize("tenths", TENTHS)
    def test_opencv_takes_the_same_pixels(self, tenths):
        size = (33, 49) if tenths % 2 else (61, 40)
        _, label = noise(*size)
        axes = published_axes(size, tf.constant(tenths / 10, tf.float64))
        frame = (int(axes[1].frame), int(axes[0].frame))
        expected = cv2.resize(label, frame, interpolation=cv2.INTER_NEAREST)
        for window in [next(windows(axes, (24, 32))), whole(axes)]:
            result = nearest_label(label, *window, to_train_ids=tf.identity, opencv=True)
            np.testing.assert_array_equal(result, cut(expected, window))

    @pytest.mark.parametrize("length", [1024, 2048, 375, 1242, 500, 1920])
    def test_opencv_takes_the_same_pixels_of_long_axes(self, length):
        for tenths in TENTHS:
            axis = whole(published_axes((1, length), tf.constant(tenths / 10, tf.float64)))[1]
            places = np.arange(length, dtype=np.float32)[None]
            expected = cv2.resize(places, (axis.count, 1), interpolation=cv2.INTER_NEAREST)
            np.testing.assert_array_equal(opencv_sources(axis), expected[0])

    def test_the_pixel_under_the_center_worked_by_hand(self):
        # Three quarters: the centers lie at 0.67, 2 and 3.33. One and a half: at 0.33, 1, 1.67.
        np.testing.assert_array_equal(nearest_sources(Axis(4, 3, 3, 4, start=0, count=3)), [0, 2, 3])
        np.testing.assert_array_equal(nearest_sources(Axis(2, 3, 3, 2, start=0, count=3)), [0, 1, 1])
        np.testing.assert_array_equal(opencv_sources(Axis(4, 3, 3, 4, start=0, count=3)), [0, 1, 2])

    @pytest.mark.parametrize("scale", [(1, 2), (1, 1), (2, 1)])
    def test_train_ids_are_looked_up_on_the_smaller_of_window_and_crop(self, scale):
        _, label = noise(40, 60)
        shapes = []

        def to_train_ids(values):
            shapes.append(tuple(values.shape))
            return values + tf.constant(1, tf.uint8)

        rows, columns = (axis._replace(count=10) for axis in stepped_axes((40, 60), scale))
        result = nearest_label(label, rows, columns, to_train_ids=to_train_ids)
        assert shapes == [(5, 5) if scale == (2, 1) else (10, 10)]
        assert result.shape == (10, 10)
        np.testing.assert_array_equal(result, nearest_label(label, rows, columns, to_train_ids=tf.identity) + 1)


@pytest.mark.parametrize("cutter", [image_of_steps, image_of_any_scale])
@pytest.mark.parametrize("scale", [(7, 10), (1, 1), (21, 10)])
def test_a_mirrored_image_is_the_image_mirrored(cutter, scale):
    image, _ = noise(43, 58)
    for rows, columns in windows(stepped_axes((43, 58), scale), (24, 32)):
        straight = cutter(image, rows, columns).numpy()
        mirrored = cutter(image, rows, columns._replace(mirrored=True)).numpy()
        assert np.abs(np.int32(mirrored[:, ::-1]) - straight).max() <= (cutter is image_of_any_scale)


@pytest.mark.parametrize("opencv", [False, True])
@pytest.mark.parametrize("scale", [(7, 10), (1, 1), (21, 10)])
def test_a_mirrored_label_is_the_label_mirrored(opencv, scale):
    _, label = noise(43, 58)
    for rows, columns in windows(stepped_axes((43, 58), scale), (24, 32)):
        straight, mirrored = (
            nearest_label(
                label, rows, columns._replace(mirrored=mirrored), to_train_ids=tf.identity, opencv=opencv
            ).numpy()
            for mirrored in (False, True)
        )
        np.testing.assert_array_equal(mirrored[:, ::-1], straight)


def test_gray_levels_are_rounded_half_up_and_kept_in_range():
    levels = np.float32([-7, 0, 0.49, 0.5, 1.5, 2.5, 127.5, 254.49, 254.5, 300])
    np.testing.assert_array_equal(rounded(tf.constant(levels)), [0, 0, 0, 1, 2, 3, 128, 254, 255, 255])
