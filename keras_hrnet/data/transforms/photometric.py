"""Changes the colors and the sharpness of an image, but not its label."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from keras_hrnet.data.transforms.geometry import rounded

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_hrnet.data.transforms.augmentation import Augmentation

# ITU-R BT.601, as in Pillow's and torchvision's gray.
GRAY_OF_RGB = (0.299, 0.587, 0.114)
# A Gaussian is truncated at four standard deviations, as in scikit-image.
REACH = 4.0


def recolored(
    image: tf.Tensor, augmentation: Augmentation, *, seed: tf.Tensor, inside: tf.Tensor | None = None
) -> tf.Tensor:
    """Changes the colors of an image and blurs it at random; an image that is not RGB is only blurred.

    Args:
        image: uint8 `(height, width, channels)`, RGB or other channels in [0, 255]; the number of channels is static.
        seed: int64 `(2,)`.
        inside: mask of the pixels that show the image, bool `(height, width)`; `None` means all pixels.

    Returns:
        uint8 of the same shape.
    """
    import tensorflow as tf

    changes = _changes(augmentation, inside, is_rgb=image.shape[-1] == 3)
    if not changes:
        return image
    image = tf.cast(image, tf.float32)
    for change, change_seed in zip(changes, tf.unstack(tf.random.split(seed, len(changes))), strict=True):
        image = _changed_at_random(image, change, change_seed)
    return rounded(image)


def shifted(image: tf.Tensor, levels: tf.Tensor) -> tf.Tensor:
    """Adds gray levels to an image, float32 in [0, 255], and clips the result to this range."""
    return _clipped(image + levels)


def brightened(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies the gray levels of an image, float32 in [0, 255], and clips the result to this range."""
    return _clipped(image * factor)


def contrasted(image: tf.Tensor, factor: tf.Tensor, inside: tf.Tensor | None = None) -> tf.Tensor:
    """Multiplies the differences between an image and its mean gray level.

    Args:
        image: float32 `(height, width, 3)`, RGB in [0, 255].
        factor: factor of the differences.
        inside: mask of the pixels from which the mean is computed, bool `(height, width)`; `None` means all pixels.

    Returns:
        float32 of the same shape, clipped to [0, 255].
    """
    import tensorflow as tf

    gray = tf.linalg.matvec(image, tf.constant(GRAY_OF_RGB))
    if inside is not None:
        weights = tf.cast(inside, tf.float32)
        mean = tf.math.divide_no_nan(tf.reduce_sum(gray * weights), tf.reduce_sum(weights))
    else:
        mean = tf.reduce_mean(gray)
    return _clipped(mean + factor * (image - mean))


def saturated(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies the saturation (in HSV) of an RGB image, float32 in [0, 255], and clips the result to this range."""
    import tensorflow as tf

    return _clipped(tf.image.adjust_saturation(image, factor))


def hue_turned(image: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Rotates the hue of an RGB image, float32 in [0, 255], by a share of the full circle; clips to the same range."""
    import tensorflow as tf

    return _clipped(tf.image.adjust_hue(image, share))


def blurred(image: tf.Tensor, sigma: tf.Tensor, *, largest_sigma: float) -> tf.Tensor:
    """Blurs an image with a Gaussian kernel; the outermost pixels are repeated beyond the edge.

    Args:
        image: float32 `(height, width, channels)`.
        sigma: standard deviation, in pixels.
        largest_sigma: the largest possible standard deviation, in pixels, which determines the size of the kernel.

    Returns:
        float32 of the same shape.
    """
    import tensorflow as tf

    reach = math.ceil(REACH * largest_sigma)
    distances = tf.range(-reach, reach + 1, dtype=tf.float32)
    weights = tf.exp(-0.5 * tf.square(distances / sigma))
    weights = tf.tile((weights / tf.reduce_sum(weights))[:, None], [1, image.shape[-1]])[:, :, None]
    for axis in range(2):
        length = tf.shape(image)[axis]
        places = tf.clip_by_value(tf.range(-reach, length + reach), 0, length - 1)
        kernel = tf.expand_dims(weights, 1 - axis)
        continued = tf.gather(image, places, axis=axis)[None]
        image = tf.nn.depthwise_conv2d(continued, kernel, strides=[1, 1, 1, 1], padding="VALID")[0]
    return image


class _Change(NamedTuple):
    """A change that is applied to an image with some probability, by an amount from `lower` to `upper`."""

    probability: float
    lower: float
    upper: float
    change: Callable


def _changes(augmentation, inside, is_rgb):
    """Returns the requested changes, in mmsegmentation's order."""
    chance = augmentation.color_probability
    contrast = functools.partial(contrasted, inside=inside)
    blur = functools.partial(blurred, largest_sigma=augmentation.blur_sigma[1])
    changes = [
        _Change(chance, -augmentation.brightness_shift, augmentation.brightness_shift, shifted),
        _Change(chance, 1 - augmentation.brightness, 1 + augmentation.brightness, brightened),
        _Change(chance, 1 - augmentation.contrast, 1 + augmentation.contrast, contrast),
        _Change(chance, 1 - augmentation.saturation, 1 + augmentation.saturation, saturated),
        _Change(chance, -augmentation.hue, augmentation.hue, hue_turned),
    ]
    changes = [change for change in changes if is_rgb and chance > 0 and change.lower < change.upper]
    return changes + ([_Change(augmentation.blur, *augmentation.blur_sigma, blur)] if augmentation.blur > 0 else [])


def _changed_at_random(image, change, seed):
    import tensorflow as tf

    chance_seed, amount_seed = tf.unstack(tf.random.split(seed, 2))
    amount = tf.random.stateless_uniform([], amount_seed)
    amount = change.lower + (change.upper - change.lower) * amount
    happens = tf.random.stateless_uniform([], chance_seed) < change.probability
    return tf.cond(happens, lambda: change.change(image, amount), lambda: image)


def _clipped(image):
    import tensorflow as tf

    return tf.clip_by_value(image, 0.0, 255.0)
