import colorsys

import cv2
import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.data.transforms import Augmentation
from keras_hrnet.data.transforms.photometric import (
    blurred,
    brightened,
    contrasted,
    hue_turned,
    recolored,
    saturated,
    shifted,
)

pytestmark = pytest.mark.once

SEED = tf.constant([1, 2], tf.int64)


def noise(height=24, width=40):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.float32)


def of_hsv(image, change):
    pixels = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) for pixel in image.reshape(-1, 3) / 255.0]
    return 255 * np.reshape(pixels, image.shape)


def test_levels_are_shifted_and_multiplied():
    image = tf.constant([[[10.0, 100.0, 250.0]]])
    np.testing.assert_allclose(shifted(image, 20.0), [[[30, 120, 255]]])
    np.testing.assert_allclose(shifted(image, -20.0), [[[0, 80, 230]]])
    np.testing.assert_allclose(brightened(image, 1.5), [[[15, 150, 255]]])


def test_contrast_multiplies_the_distance_from_the_mean_gray():
    # The grays are 0.299 · 200 = 59.8, and 100; their mean is 79.9.
    image = tf.constant([[[200.0, 0.0, 0.0], [100.0, 100.0, 100.0]]])
    expected = [[[139.95, 39.95, 39.95], [89.95, 89.95, 89.95]]]
    np.testing.assert_allclose(contrasted(image, 0.5), expected, atol=1e-4)
    # Of the first pixel alone: 59.8.
    inside = tf.constant([[True, False]])
    np.testing.assert_allclose(contrasted(image, 0.5, inside)[0, 0], [129.9, 29.9, 29.9], atol=1e-4)
    np.testing.assert_allclose(contrasted(image, 0.5, ~inside & False), image / 2)


@pytest.mark.parametrize("share", [-0.5, -0.1, 0.25])
def test_the_hue_turns_as_in_colorsys(share):
    expected = of_hsv(noise(), lambda h, s, v: ((h + share) % 1, s, v))
    np.testing.assert_allclose(hue_turned(noise(), share), expected, atol=0.01)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.7])
def test_the_saturation_is_multiplied_as_in_colorsys(factor):
    expected = of_hsv(noise(), lambda h, s, v: (h, min(s * factor, 1), v))
    np.testing.assert_allclose(saturated(noise(), factor), expected, atol=0.01)


@pytest.mark.parametrize("sigma", [0.15, 0.8, 1.3])
def test_blur_equals_opencv(sigma):
    expected = cv2.GaussianBlur(noise(), (13, 13), sigma, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(blurred(noise(), sigma, largest_sigma=1.3), expected, atol=0.01)


def test_blur_takes_images_smaller_than_its_reach():
    image = noise(2, 3)
    expected = cv2.GaussianBlur(image, (13, 13), 1.3, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(blurred(image, 1.3, largest_sigma=1.3), expected, atol=0.01)


class TestRecolored:
    def test_nothing_asked_for_changes_nothing(self):
        image = np.uint8(noise())
        assert recolored(image, Augmentation(), seed=SEED) is image
        assert recolored(image, Augmentation(hue=0.5, color_probability=0.0), seed=SEED) is image

    def test_changes_of_probability_0_do_not_happen(self):
        image = np.uint8(noise())
        result = recolored(image, Augmentation(contrast=0.9, color_probability=1e-9), seed=SEED)
        np.testing.assert_array_equal(result, image)

    @pytest.mark.parametrize("name", ["brightness_shift", "brightness", "contrast", "saturation", "hue", "blur"])
    def test_each_option_changes_images_both_eagerly_and_inside_tf_data(self, name):
        image = np.uint8(noise())
        augmentation = Augmentation(**{name: 40.0 if name == "brightness_shift" else 0.5 if name == "hue" else 1.0})
        eager = recolored(image, augmentation, seed=SEED)
        dataset = tf.data.Dataset.from_tensors(image).map(lambda x: recolored(x, augmentation, seed=SEED))
        inside = next(iter(dataset))
        assert inside.dtype == tf.uint8
        assert (eager.numpy() != image).mean() > 0.2
        assert np.abs(np.int32(eager) - np.int32(inside)).max() <= 1  # a fused kernel may round otherwise

    def test_contrast_has_its_mean_from_the_pixels_inside(self):
        image = np.repeat(np.uint8([100, 200]), 6).reshape(1, 4, 3)
        inside = np.array([[True, True, False, False]])
        result = recolored(image, Augmentation(contrast=1.0), seed=SEED, inside=inside).numpy()
        assert (result[0, :2] == 100).all()
        assert (result[0, 2:] != 200).all()

    def test_amounts_span_the_range_and_happen_as_often_as_asked(self):
        image = np.full((2, 2, 3), 100, np.uint8)
        augmentation = Augmentation(brightness_shift=32.0, color_probability=0.5)
        change = tf.function(lambda i: recolored(image, augmentation, seed=tf.stack([i, 0])))
        levels = np.array([change(tf.constant(i, tf.int64))[0, 0, 0] for i in range(300)]).astype(int) - 100
        assert -32 <= levels.min() < -28
        assert 28 < levels.max() <= 32
        assert 110 < (levels == 0).sum() < 190
