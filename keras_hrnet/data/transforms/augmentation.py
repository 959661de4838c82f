"""The augmentation of training images and labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.transforms import geometry, placement, rotation
from keras_hrnet.data.transforms.lookup import looked_up
from keras_hrnet.data.transforms.photometric import recolored
from keras_hrnet.data_sets.classes import IGNORE_LABEL

if TYPE_CHECKING:
    import tensorflow as tf

# mmsegmentation, `mmseg/datasets/transforms/transforms.py`, `RandomCrop`, tries this many windows.
FURTHER_WINDOWS = 10
# In pixels, the longest period of a scale for which `image_of_steps` is faster than `image_of_any_scale`.
LONGEST_PERIOD = 20


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The augmentation of training images and labels; the defaults are those of HRNet's published recipe.

    The steps, in order, are scaling and rotation, cropping, color changes, blurring, padding, and mirroring. All
    amounts are drawn from uniform distributions. The color changes of mmsegmentation are
    `brightness_shift=32, brightness=0.5, saturation=0.5, hue=0.1` with `color_probability=0.5`; its contrast
    corresponds to brightness here. NVIDIA's are 0.25 for each of `brightness`, `contrast`, `saturation` and `hue`, but
    in random order. The colors of an image change only if it has three channels.

    Args:
        scales: the smallest and the largest scale.
        scale_step: step between the scales that can be drawn, a multiple of 0.01; `None` draws any scale in the range,
            which takes longer, and rounds the size of the scaled image to the nearest integers.
        flip: probability of mirroring left and right.
        rotation: maximum rotation in either direction, in degrees.
        brightness_shift: maximum number of gray levels that are added or subtracted, from 0 to 255 (the published
            code's `RANDOM_BRIGHTNESS_SHIFT_VALUE`, which draws integers, and changes half of the images).
        brightness: maximum relative change of gray levels.
        contrast: maximum relative change of distances from the mean gray level.
        saturation: maximum relative change of the saturation (in HSV).
        hue: maximum rotation of the hue in either direction, as a share of the full circle, 0 to 0.5.
        color_probability: the probability of each of these five changes.
        blur: the probability of a Gaussian blur.
        blur_sigma: smallest and largest standard deviation of the blur, in pixels.
        cat_max_ratio: maximum share of the most frequent class among the labeled pixels of a crop; up to 10 further
            crops are drawn until the share is smaller, and the last one is used. 1 means no limit.
        opencv_nearest: whether to round sizes and sample labels as the published code does with OpenCV, which uses the
            pixel under the upper left corner, while this package uses the pixel under the center. OpenCV's way shifts
            labels against their images by up to a pixel, and takes longer.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument is out of its range.

    Example:

    >>> len(Augmentation().steps)
    17

    Reference: HRNet-Semantic-Segmentation, `lib/datasets/base_dataset.py`, `gen_sample`; mmsegmentation,
    `PhotoMetricDistortion` and `RandomCrop`; NVIDIA's semantic-segmentation, `transforms/transforms.py`, `ColorJitter`
    and `RandomGaussianBlur`, whose standard deviations are the default.
    """

    scales: tuple[float, float] = (0.5, 2.1)
    scale_step: float | None = 0.1
    flip: float = 0.5
    rotation: float = 0.0
    brightness_shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    color_probability: float = 1.0
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.15, 1.3)
    cat_max_ratio: float = 1.0
    opencv_nearest: bool = False

    def __post_init__(self) -> None:
        _require_range("scales", self.scales, "the published (0.5, 2.1), or (1.0, 1.0) for none")
        _require_range("blur_sigma", self.blur_sigma, "NVIDIA's (0.15, 1.3)")
        for name, largest in LARGEST.items():
            _require_number(name, getattr(self, name), largest)
        if self.cat_max_ratio == 0:
            raise ValueError(
                "Received cat_max_ratio=0. Expected more than 0, because each crop has a most frequent class. Pass "
                "mmsegmentation's 0.75, or 1 for any crop."
            )
        if not isinstance(self.opencv_nearest, bool):
            raise TypeError(f"Received opencv_nearest={self.opencv_nearest!r}. Expected True or False. Pass one.")
        if self.opencv_nearest and self.rotation > 0:
            raise ValueError(
                f"Received opencv_nearest=True with rotation={self.rotation}. Expected at most one of them, because "
                "the published code does not rotate. Leave one out."
            )
        if self.scale_step is not None:
            _require_steps(self.scales, self.scale_step)

    @property
    def steps(self) -> list[tuple[int, int]] | None:
        """All scales in ascending order, as numerator and denominator in lowest terms; `None` if there are no steps."""
        if self.scale_step is None:
            return None
        lower, upper, step = (_hundredths(value) for value in (*self.scales, self.scale_step))
        return [(lower + i * step).as_integer_ratio() for i in range((upper - lower) // step + 1)]


LARGEST = {
    "flip": 1,
    "rotation": 180,
    "brightness_shift": 255,
    "brightness": 1,
    "contrast": 1,
    "saturation": 1,
    "hue": 0.5,
    "color_probability": 1,
    "blur": 1,
    "cat_max_ratio": 1,
}
"""The largest value of each number of an `Augmentation`; the smallest is 0."""


def augmented(
    image: tf.Tensor,
    label: tf.Tensor,
    *,
    augmentation: Augmentation,
    crop_size: Sequence[int | tf.Tensor],
    seed: tf.Tensor,
    focus: tf.Tensor | None = None,
    to_train_ids: Callable[[tf.Tensor], tf.Tensor] | None = None,
    mirrored_ids: Sequence[int] | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes a random training crop of an image and its label.

    Labels are resampled by nearest neighbor and never blended. Pixels of a crop outside the image are 0 in the image
    and 255 in the label. A smaller image is padded at the bottom and on the right, before mirroring, and a rotated
    image all around.

    Args:
        image: uint8 `(height, width, channels)`, RGB or other channels in [0, 255].
        label: uint8 `(height, width)`, stored values.
        crop_size: height and width of the crop, integers or int32 scalars.
        seed: int64 `(2,)`; the same seed gives the same crop.
        focus: row and column of a source pixel that the crop must contain, int32 `(2,)`; the crop is drawn uniformly
            from all windows inside the image that contain it. (-1, -1) or `None` draws from all windows.
        to_train_ids: function that maps a label of stored values, uint8 `(height, width)`, to train ids, with 255 for
            ignored pixels; it is not applied to padding. `None` means that the stored values are train ids.
        mirrored_ids: the train id that each class has in a mirrored image; `None` if all stay the same.

    Returns:
        The image, uint8 `(*crop_size, channels)`, and the label, uint8 `(*crop_size,)`, train ids with 255 for ignored
        pixels.
    """
    tf = host_tensorflow()
    image, label = tf.convert_to_tensor(image), tf.convert_to_tensor(label)
    scale_seed, turn_seed, window_seed, color_seed, flip_seed = tf.unstack(tf.random.split(seed, 5))
    rows, columns = _scaled_axes(tf.shape(label), augmentation, scale_seed)
    mirrored = tf.random.stateless_uniform([], flip_seed) < augmentation.flip
    axes = [rows, columns._replace(mirrored=mirrored)]
    turn = None
    if augmentation.rotation > 0:
        turn = rotation.random_turn(*axes, largest=augmentation.rotation, seed=turn_seed, focus=focus)
    cut_label = _label_cutter(label, turn, augmentation.opencv_nearest, to_train_ids or tf.identity)
    axes, label = _window(axes, crop_size, cut_label, augmentation.cat_max_ratio, seed=window_seed, focus=focus)
    if mirrored_ids is not None:
        label = tf.where(mirrored, looked_up(label, [*mirrored_ids, *range(len(mirrored_ids), 256)]), label)
    image = _cut_image(image, axes, turn, augmentation, seed=color_seed)
    return _padded(image, label, crop_size, mirrored)


def _scaled_axes(size, augmentation, seed):
    import tensorflow as tf

    steps = augmentation.steps
    if steps is None:
        scale = tf.random.stateless_uniform([], seed, *augmentation.scales, tf.float64)
        sized = placement.published_axes if augmentation.opencv_nearest else placement.rounded_axes
        return sized(size, scale)
    index = tf.random.stateless_uniform([], seed, 0, len(steps), tf.int32)
    if augmentation.opencv_nearest:
        scales = [numerator / denominator for numerator, denominator in steps]
        return placement.published_axes(size, tf.gather(tf.constant(scales, tf.float64), index))
    return placement.stepped_axes(size, tf.gather(tf.constant(steps), index))


def _label_cutter(label, turn, opencv_nearest, to_train_ids):
    """Returns a function that crops the train ids of a window."""
    import tensorflow as tf

    def cut(rows, columns):
        if turn is None:
            return geometry.nearest_label(label, rows, columns, to_train_ids=to_train_ids, opencv=opencv_nearest)
        ids = to_train_ids(rotation.rotated_label(label, rows, columns, turn))
        return tf.where(rotation.inside_image(rows, columns, turn), ids, tf.constant(IGNORE_LABEL, tf.uint8))

    return cut


def _window(axes, crop_size, cut_label, cat_max_ratio, *, seed, focus):
    """Places a window, repeatedly if one class is too frequent in it; returns its axes and its label."""
    import tensorflow as tf

    def place(attempt):
        seeds = tf.unstack(tf.random.split(tf.random.fold_in(seed, attempt), 2))
        pixels = [None, None] if focus is None else tf.unstack(focus)
        return [
            placement.placed(axes[axis], crop_size[axis], seed=seeds[axis], focus=pixels[axis]) for axis in range(2)
        ]

    def goes_on(attempt, label):
        return (attempt < FURTHER_WINDOWS) & (_largest_share(label) >= cat_max_ratio)

    def again(attempt, label):
        return attempt + 1, cut_label(*place(attempt + 1))

    attempt, label = tf.constant(0), cut_label(*place(0))
    if cat_max_ratio < 1:
        shapes = [tf.TensorShape([]), tf.TensorShape([None, None])]
        attempt, label = tf.while_loop(goes_on, again, [attempt, label], shape_invariants=shapes)
    return place(attempt), label


def _largest_share(label):
    """Returns the share of the most frequent class among the labeled pixels; 1 if there are none."""
    import tensorflow as tf

    ids = tf.cast(tf.reshape(label, [-1]), tf.int32)
    counts = tf.math.bincount(ids, minlength=256, maxlength=256)[:IGNORE_LABEL]
    labeled = tf.reduce_sum(counts)
    return tf.where(labeled > 0, tf.reduce_max(counts) / labeled, 1)


def _cut_image(image, axes, turn, augmentation, *, seed):
    import tensorflow as tf

    if turn is not None:
        inside = rotation.inside_image(*axes, turn)
        image = recolored(rotation.rotated_image(image, *axes, turn), augmentation, seed=seed, inside=inside)
        return tf.where(inside[:, :, None], image, tf.constant(0, tf.uint8))
    in_periods = augmentation.steps is not None and not augmentation.opencv_nearest
    in_periods &= max(denominator for _, denominator in augmentation.steps or [(1, 1)]) <= LONGEST_PERIOD
    cut = geometry.image_of_steps if in_periods else geometry.image_of_any_scale
    return recolored(cut(image, *axes), augmentation, seed=seed)


def _padded(image, label, crop_size, mirrored):
    import tensorflow as tf

    below, beside = crop_size[0] - tf.shape(label)[0], crop_size[1] - tf.shape(label)[1]
    # The right side of the image is on the left of a mirrored crop.
    left = tf.where(mirrored, beside, 0)
    paddings = [[0, below], [left, beside - left]]
    image = tf.pad(image, [*paddings, [0, 0]])
    label = tf.pad(label, paddings, constant_values=IGNORE_LABEL)
    static_size = [size if isinstance(size, int) else None for size in crop_size]
    return tf.ensure_shape(image, [*static_size, image.shape[-1]]), tf.ensure_shape(label, static_size)


def _hundredths(value):
    return Fraction(round(100 * value), 100)


def _require_steps(scales, step):
    if isinstance(step, bool) or not isinstance(step, Real):
        raise TypeError(f"Received scale_step={step!r}. Expected a number, or None. Pass the published 0.1.")
    exact = math.isfinite(step) and all(abs(value - _hundredths(value)) < 1e-6 for value in (*scales, step))
    if not exact or _hundredths(step) <= 0 or (_hundredths(scales[1]) - _hundredths(scales[0])) % _hundredths(step):
        raise ValueError(
            f"Received scales={scales} with scale_step={step}. Expected multiples of 0.01, and an upper scale that is "
            f"a whole number of steps above the lower one. Pass the published (0.5, 2.1) with 0.1, or scale_step=None "
            f"for any scale between."
        )


def _require_range(name, value, example):
    if not isinstance(value, Sequence) or len(value) != 2 or not all(isinstance(end, Real) for end in value):
        raise TypeError(f"Received {name}={value!r}. Expected (lower, upper), two numbers. Pass {example}.")
    if not 0 < value[0] <= value[1] < math.inf:
        raise ValueError(
            f"Received {name}={value}. Expected two positive numbers, the lower one first. Pass {example}."
        )


def _require_number(name, value, largest):
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"Received {name}={value!r}. Expected a number from 0 to {largest}. Pass one.")
    if not 0 <= value <= largest:
        raise ValueError(
            f"Received {name}={value}. Expected a number from 0 to {largest}. Pass {min(max(value, 0), largest)}."
        )
