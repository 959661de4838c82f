from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.data.transforms import flip, random_scale_crop_flip, scale_and_crop, scale_steps, scaled_size

pytestmark = pytest.mark.once

TENTHS = range(5, 22)


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.integers(0, 19, (height, width), dtype=np.uint8)


def blended_axis(array, axis, count, scale):
    positions = [Fraction(2 * i + 1, 2) / scale - Fraction(1, 2) for i in range(count)]
    lower = [position.__floor__() for position in positions]
    weights = np.float64([position - floor for position, floor in zip(positions, lower, strict=True)])
    weights = weights.reshape([-1 if i == axis else 1 for i in range(3)])
    below, above = (np.clip(np.add(lower, i), 0, array.shape[axis] - 1) for i in (0, 1))
    return np.take(array, below, axis) * (1 - weights) + np.take(array, above, axis) * weights


def scaled_whole(image, label, scale):
    """The plain way in float64: scales the whole image with half-pixel bilinear, the whole label with nearest."""
    height, width = (int(size * scale) for size in label.shape)
    blended = blended_axis(blended_axis(image.astype(np.float64), 0, height, scale), 1, width, scale)
    rows, columns = ([int(Fraction(2 * i + 1, 2) / scale) for i in range(count)] for count in (height, width))
    return blended, label[np.ix_(rows, columns)]


def cropped(image, label, top_left, crop_size):
    (top, left), (height, width) = top_left, crop_size
    image, label = image[top : top + height, left : left + width], label[top : top + height, left : left + width]
    padding = [(0, height - label.shape[0]), (0, width - label.shape[1])]
    return np.pad(image, [*padding, (0, 0)]), np.pad(label, padding, constant_values=255)


class TestScaleSteps:
    def test_the_published_range_has_17_steps(self):
        steps = scale_steps((0.5, 2.1))
        assert len(steps) == 17
        assert steps[0] == (1, 2)
        assert steps[5] == (1, 1)
        assert steps[-1] == (21, 10)
        np.testing.assert_allclose([n / d for n, d in steps], 0.5 + np.arange(17) / 10)

    def test_one_scale_is_a_range(self):
        assert scale_steps((1.0, 1.0)) == [(1, 1)]
        assert scale_steps((1, 1)) == [(1, 1)]

    @pytest.mark.parametrize("scales", [(0.0, 1.0), (-0.5, 1.0), (1.2, 1.1), (0.55, 1.0), (0.5, 1.01)])
    def test_other_ranges_are_refused(self, scales):
        with pytest.raises(ValueError, match=r"Received scales=.*positive multiples of 0\.1.*\(0\.5, 2\.1\)"):
            scale_steps(scales)

    @pytest.mark.parametrize("scales", [1.0, (0.5,), (0.5, 1.0, 2.0)])
    def test_anything_but_a_pair_is_refused(self, scales):
        with pytest.raises(TypeError, match=r"Received scales=.*Expected \(lower, upper\)"):
            scale_steps(scales)


class TestScaleAndCrop:
    @pytest.mark.parametrize("tenths", TENTHS)
    def test_it_equals_scaling_the_whole_image_and_cropping_then(self, tenths):
        image, label = noise(43, 58)
        scale = Fraction(tenths, 10)
        whole_image, whole_label = scaled_whole(image, label, scale)
        height, width = whole_label.shape
        crop_size = (24, 32)
        for top, left in [(0, 0), (max(height - 24, 0), max(width - 32, 0)), (max(height - 24, 0) // 2, 7)]:
            left = min(left, max(width - 32, 0))
            result = scale_and_crop(
                image, label, scale=scale.as_integer_ratio(), top_left=(top, left), crop_size=crop_size
            )
            expected_image, expected_label = cropped(whole_image, whole_label, (top, left), crop_size)
            np.testing.assert_array_equal(result[1], expected_label)
            # Rounded to whole grey levels; 0.51 leaves float32 positions 0.01.
            np.testing.assert_allclose(np.float64(result[0]), expected_image, rtol=0, atol=0.51)

    def test_twice_the_size_worked_by_hand(self):
        image = np.uint8([[[0] * 3, [100] * 3]] * 2)
        label = np.uint8([[1, 2], [3, 4]])
        image, label = tf.pad(image, [[0, 6], [0, 6], [0, 0]]), tf.pad(label, [[0, 6], [0, 6]])
        result = scale_and_crop(image, label, scale=(2, 1), top_left=(0, 0), crop_size=(3, 3))
        np.testing.assert_array_equal(result[0][:, :, 0], [[0, 25, 75]] * 3)
        np.testing.assert_array_equal(result[1], [[1, 1, 2], [1, 1, 2], [3, 3, 4]])

    def test_scale_1_without_crop_changes_nothing(self):
        image, label = noise(21, 34)
        result = scale_and_crop(image, label, scale=(1, 1), top_left=(0, 0), crop_size=(21, 34))
        np.testing.assert_array_equal(result[0], image)
        np.testing.assert_array_equal(result[1], label)

    def test_padding_is_black_and_ignored_at_the_bottom_and_on_the_right(self):
        image, label = noise(20, 30)
        image = np.maximum(image, 1)
        result = scale_and_crop(image, label, scale=(1, 2), top_left=(0, 0), crop_size=(16, 24))
        assert (result[0].numpy()[:10, :15] > 0).all()
        assert (result[1].numpy()[:10, :15] < 19).all()
        for side in (np.s_[10:], np.s_[:, 15:]):
            assert (result[0].numpy()[side] == 0).all()
            assert (result[1].numpy()[side] == 255).all()

    def test_it_is_the_same_inside_tf_data(self):
        image, label = noise(43, 58)
        arguments = dict(scale=(13, 10), top_left=(11, 5), crop_size=(24, 32))
        dataset = tf.data.Dataset.from_tensors((image, label)).map(lambda x, y: scale_and_crop(x, y, **arguments))
        assert dataset.element_spec[0].shape == (24, 32, 3)
        assert dataset.element_spec[1].shape == (24, 32)
        for inside, eager in zip(next(iter(dataset)), scale_and_crop(image, label, **arguments), strict=True):
            np.testing.assert_array_equal(inside, eager)
            assert inside.dtype == tf.uint8

    def test_a_scaled_size_is_rounded_down(self):
        assert scaled_size((1024, 2048), (11, 10)) == (1126, 2252)


def test_flip_moves_left_to_right():
    image, label = flip(np.arange(12).reshape(2, 2, 3), np.uint8([[1, 2], [3, 4]]))
    np.testing.assert_array_equal(image[:, :, 0], [[3, 0], [9, 6]])
    np.testing.assert_array_equal(label, [[2, 1], [4, 3]])


class TestRandomScaleCropFlip:
    def test_a_seed_gives_one_result_and_another_seed_another(self):
        image, label = noise(40, 60)
        arguments = dict(crop_size=(16, 24), scales=scale_steps((0.5, 2.1)))
        first, again, other = (
            random_scale_crop_flip(image, label, seed=tf.constant([3, i], tf.int64), **arguments) for i in (1, 1, 2)
        )
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
        assert (first[0].numpy() != other[0].numpy()).any()

    def test_scales_flips_and_windows_all_occur(self):
        # The image holds its own positions: red the column, green the row.
        rows, columns = np.mgrid[:40, :60].astype(np.uint8) + np.uint8(10)
        image, label = np.stack([columns, rows, rows], axis=-1), np.zeros((40, 60), np.uint8)

        @tf.function
        def sample(i):
            return random_scale_crop_flip(
                image, label, crop_size=(12, 16), scales=scale_steps((0.5, 2.0)), seed=tf.stack([i, 0])
            )

        images = [sample(tf.constant(i, tf.int64))[0].numpy().astype(int) for i in range(200)]
        slopes = np.array([(x[5, 13, 0] - x[5, 3, 0]) / 10 for x in images])
        assert 70 < np.sum(slopes < 0) < 130
        np.testing.assert_allclose([abs(slopes).min(), abs(slopes).max()], [0.5, 2.0], atol=0.1)
        assert len({round(slope, 1) for slope in abs(slopes)}) > 8
        top = min(x[:, :, 1].min() for x in images)
        bottom = max(x[:, :, 1].max() for x in images)
        assert (top, bottom) == (10, 49)

    def test_image_and_label_stay_aligned(self):
        # Red encodes the column and green the row; the label names the quadrant.
        rows, columns = np.mgrid[:64, :96]
        image = np.stack([2 * columns + 20, 2 * rows + 20, 0 * rows], axis=-1).astype(np.uint8)
        label = (2 * (rows >= 32) + (columns >= 48)).astype(np.uint8)

        @tf.function
        def sample(i):
            return random_scale_crop_flip(
                image, label, crop_size=(40, 56), scales=scale_steps((0.5, 2.1)), seed=tf.stack([i, 0])
            )

        seen = set()
        for i in range(40):
            crop, quadrant = (x.numpy() for x in sample(tf.constant(i, tf.int64)))
            padding = (crop == 0).all(axis=-1)
            np.testing.assert_array_equal(padding, quadrant == 255)
            column, row = (crop[..., 0] - 20.0) / 2, (crop[..., 1] - 20.0) / 2
            # Nearest and blended positions differ by at most half a source pixel, and grey levels by a quarter more.
            sure = ~padding & (abs(column - 47.5) > 0.8) & (abs(row - 31.5) > 0.8)
            np.testing.assert_array_equal(quadrant[sure], (2 * (row > 31.5) + (column > 47.5))[sure])
            assert sure.sum() > 0.8 * (~padding).sum()
            seen |= set(np.unique(quadrant))
        assert seen == {0, 1, 2, 3, 255}

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(
        st.integers(8, 40),
        st.integers(8, 40),
        st.integers(1, 50),
        st.integers(1, 50),
        st.integers(2, 21),
        st.integers(0, 10),
        st.integers(0, 2**40),
    )
    def test_labels_are_those_before_or_ignored(self, height, width, crop_height, crop_width, lower, span, seed):
        rng = np.random.default_rng(seed)
        ids = rng.choice(256, 3, replace=False).astype(np.uint8)
        image, label = noise(height, width)[0], rng.choice(ids, (height, width))
        result = random_scale_crop_flip(
            image,
            label,
            crop_size=(crop_height, crop_width),
            scales=scale_steps((lower / 10, (lower + span) / 10)),
            seed=tf.constant([seed, 0], tf.int64),
        )
        assert result[0].shape == (crop_height, crop_width, 3)
        assert result[1].shape == (crop_height, crop_width)
        assert set(np.unique(result[1])) <= {*ids, 255}
