"""Scales the axes of an image, and places a crop in the scaled image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf


class Axis(NamedTuple):
    """One axis of a crop; all lengths are in pixels, as integers or int32 scalars.

    `numerator` scaled pixels cover `denominator` source pixels. Pixels are squares: the center of scaled pixel p is at
    (p + 1/2) · denominator / numerator in the source, whose pixel q extends from q to q + 1.

    Args:
        length: length of the source.
        frame: length of the scaled source.
        numerator: numerator of the scale.
        denominator: denominator of the scale.
        start: the first scaled pixel of the crop.
        count: number of scaled pixels in the crop.
        mirrored: whether the crop shows its pixels from the last to the first; a bool or a bool scalar.
    """

    length: Any
    frame: Any
    numerator: Any
    denominator: Any
    start: Any = 0
    count: Any = 0
    mirrored: Any = False


def stepped_axes(size: tf.Tensor, scale: tf.Tensor) -> list[Axis]:
    """Scales height and width by an exact fraction, and rounds down, so that all scaled pixels show the source.

    Args:
        size: height and width, in pixels.
        scale: numerator and denominator.

    Returns:
        The `Axis` of the rows and that of the columns.
    """
    import tensorflow as tf

    numerator, denominator = scale[0], scale[1]
    frames = [tf.maximum(length * numerator // denominator, 1) for length in (size[0], size[1])]
    return [Axis(size[axis], frames[axis], numerator, denominator) for axis in range(2)]


def rounded_axes(size: tf.Tensor, scale: tf.Tensor) -> list[Axis]:
    """Scales height and width to the nearest integers; the scale of each axis is then the ratio of its two lengths.

    OpenCV resizes to a given size in this way, and so does mmsegmentation, which also rounds to the nearest integers.

    Args:
        size: height and width, in pixels.
        scale: float64 scalar.

    Returns:
        The `Axis` of the rows and that of the columns.
    """
    return _axes_of_frames(size, [_rounded(double(size[axis]) * scale) for axis in range(2)])


def published_axes(size: tf.Tensor, scale: tf.Tensor) -> list[Axis]:
    """Scales height and width as the published code does: the rounded longer side determines the scale of both sides.

    Args:
        size: height and width, in pixels.
        scale: float64 scalar.

    Returns:
        The `Axis` of the rows and that of the columns.

    Reference: HRNet-Semantic-Segmentation, `lib/datasets/base_dataset.py`, `multi_scale_aug`, with the longer side of
    the image for `base_size` (2048 for Cityscapes).
    """
    import tensorflow as tf

    longer = tf.maximum(size[0], size[1])
    long_frame = _rounded(double(longer) * scale)
    # In double precision, and the product before the quotient, so that halves are rounded as in the published code.
    frames = [_rounded(double(size[axis]) * double(long_frame) / double(longer)) for axis in range(2)]
    return _axes_of_frames(size, frames)


def placed(axis: Axis, crop_length: int | tf.Tensor, *, seed: tf.Tensor, focus: tf.Tensor | None = None) -> Axis:
    """Places a crop at a random position in the scaled image; all positions are equally likely.

    Args:
        axis: an `Axis`, whose `start` and `count` are ignored.
        crop_length: the requested length, in pixels; the crop is shorter if the scaled image is.
        seed: int64 `(2,)`.
        focus: the source pixel that the crop must contain; a negative number or None for any crop.

    Returns:
        The `Axis` with its `start` and `count`.
    """
    import tensorflow as tf

    count = tf.minimum(crop_length, axis.frame)
    first, last = 0, axis.frame - count
    if focus is not None:
        position = scaled_position(axis, focus)
        first = tf.where(focus < 0, 0, tf.maximum(position - count + 1, 0))
        last = tf.where(focus < 0, last, tf.minimum(position, last))
    start = first + tf.random.stateless_uniform([], seed, 0, last - first + 1, tf.int32)
    return axis._replace(start=start, count=count)


def shown_positions(axis: Axis) -> tf.Tensor:
    """Returns the scaled pixels that a crop shows, in the order in which it shows them: int32 `(axis.count,)`."""
    import tensorflow as tf

    places = tf.range(axis.count)
    return axis.start + tf.where(axis.mirrored, axis.count - 1 - places, places)


def scaled_position(axis: Axis, source: int | tf.Tensor) -> tf.Tensor:
    """Returns the scaled pixel that contains the center of a source pixel, an int32 scalar."""
    import tensorflow as tf

    doubled = tf.cast(2 * source + 1, tf.int64) * tf.cast(axis.numerator, tf.int64)
    position = tf.cast(doubled // tf.cast(2 * axis.denominator, tf.int64), tf.int32)
    return tf.minimum(position, axis.frame - 1)


def double(value: int | tf.Tensor) -> tf.Tensor:
    """Converts a number to a float64 scalar."""
    import tensorflow as tf

    return tf.cast(value, tf.float64)


def _axes_of_frames(size, frames):
    return [Axis(size[axis], frames[axis], numerator=frames[axis], denominator=size[axis]) for axis in range(2)]


def _rounded(value):
    import tensorflow as tf

    return tf.maximum(tf.cast(tf.floor(value + 0.5), tf.int32), 1)
