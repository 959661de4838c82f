"""Scales, crops and flips an image together with its label, inside `tf.data` or eagerly.

An image is blended between pixels (bilinear, half-pixel centres, no antialiasing: what `cv2.INTER_LINEAR` does);
a label is only ever moved (nearest, the same centres). Both are cut to a window of the source first and scaled then,
so that the cost follows the crop and not the image, with the values that scaling first would have given.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from keras_hrnet.data.host_tensorflow import host_tensorflow
from keras_hrnet.labels import IGNORE_LABEL


def scale_steps(scales):
    """The scales of a range, from the lower to the upper end in steps of 0.1.

    Args:
        scales: `(lower, upper)`, both multiples of 0.1.

    Returns:
        A list of `(numerator, denominator)` in lowest terms, such as `[(1, 2), (3, 5), …]`.

    Raises:
        TypeError: if it is no pair.
        ValueError: if an end is no multiple of 0.1, not positive, or the lower exceeds the upper.

    Example:

    >>> scale_steps((0.9, 1.1))
    [(9, 10), (1, 1), (11, 10)]
    """
    if not isinstance(scales, Sequence) or len(scales) != 2:
        raise TypeError(f"Received scales={scales!r}. Expected (lower, upper). Pass the published (0.5, 2.1).")
    lower, upper = (round(10 * scale) for scale in scales)
    exact = abs(10 * scales[0] - lower) < 1e-6 and abs(10 * scales[1] - upper) < 1e-6
    if not (exact and 0 < lower <= upper):
        raise ValueError(
            f"Received scales={scales}. Expected a lower and an upper scale that are positive multiples of 0.1. "
            f"Pass the published (0.5, 2.1), or (1.0, 1.0) for none."
        )
    return [Fraction(tenths, 10).as_integer_ratio() for tenths in range(lower, upper + 1)]


def random_scale_crop_flip(image, label, *, crop_size, scales, seed):
    """Scales, crops and flips at random, as the published recipe does.

    The scale is drawn from `scales`, the window uniformly from the scaled image, and half of the results are mirrored.
    Where the scaled image is smaller than the crop, the image is continued with 0 and the label with 255 at the bottom
    and on the right, before mirroring.

    Args:
        image: uint8 `(height, width, 3)`, in [0, 255].
        label: uint8 `(height, width)`.
        crop_size: height and width of the result, integers or int32 scalars.
        scales: what `scale_steps` returned.
        seed: int64 `(2,)`; the same seed gives the same result.

    Returns:
        The image and the label, uint8 `(*crop_size, 3)` and `(*crop_size,)`.

    Reference: HRNet-Semantic-Segmentation, `lib/datasets/base_dataset.py`, `gen_sample`.
    """
    tf = host_tensorflow()
    scale_seed, top_seed, left_seed, flip_seed = tf.unstack(tf.random.split(seed, 4))
    scale = tf.gather(tf.constant(scales), _random_below(len(scales), scale_seed))
    height, width = scaled_size(tf.shape(label), scale)
    top = _random_below(tf.maximum(height - crop_size[0], 0) + 1, top_seed)
    left = _random_below(tf.maximum(width - crop_size[1], 0) + 1, left_seed)
    image, label = scale_and_crop(image, label, scale=scale, top_left=(top, left), crop_size=crop_size)
    return tf.cond(_random_below(2, flip_seed) == 0, lambda: flip(image, label), lambda: (image, label))


def scaled_size(size, scale):
    """The height and width of a scaled image, rounded down so that every sample lies inside the image.

    Args:
        size: height and width, in pixels.
        scale: numerator and denominator.

    Returns:
        Height and width, in pixels.
    """
    return size[0] * scale[0] // scale[1], size[1] * scale[0] // scale[1]


def scale_and_crop(image, label, *, scale, top_left, crop_size):
    """Scales an image and its label and cuts a window, padded at the bottom and on the right.

    Args:
        image: uint8 `(height, width, 3)`, in [0, 255].
        label: uint8 `(height, width)`.
        scale: numerator and denominator, integers or an int32 tensor `(2,)`.
        top_left: the first row and column of the window, in pixels of the scaled image.
        crop_size: height and width of the result, integers or int32 scalars.

    Returns:
        The image, padded with 0, and the label, padded with 255; uint8 `(*crop_size, 3)` and `(*crop_size,)`.
    """
    tf = host_tensorflow()
    image, label = tf.convert_to_tensor(image), tf.convert_to_tensor(label)
    size = tf.shape(label)
    frame = scaled_size(size, scale)
    count = [tf.minimum(crop_size[axis], frame[axis] - top_left[axis]) for axis in range(2)]
    rows, columns = (_source_window(top_left[axis], count[axis], size[axis], scale) for axis in range(2))
    image = _scaled_image(image, rows, columns)
    image = image[rows.offset : rows.offset + count[0], columns.offset : columns.offset + count[1]]
    label = _scaled_label(label, top_left, count, scale)
    return _padded(image, label, crop_size)


def flip(image, label):
    """Mirrors an image `(height, width, channels)` and its label `(height, width)`: left becomes right."""
    tf = host_tensorflow()
    return tf.reverse(image, [1]), tf.reverse(label, [1])


class _Window(NamedTuple):
    """A range of source pixels along one axis that scales to whole pixels; scalars, in pixels.

    With a scale of n / d, n scaled pixels cover exactly d source pixels. A window of whole such periods can be resized
    alone and holds the pixels that the resized image holds there; one more period on either side is the margin that
    blending reads. The last period may reach `padding` pixels beyond the image. The wanted pixels begin at `offset` of
    the `resized` ones.
    """

    start: Any
    stop: Any
    padding: Any
    resized: Any
    offset: Any


def _source_window(start, count, length, scale):
    import tensorflow as tf

    numerator, denominator = scale[0], scale[1]
    first = tf.maximum(start // numerator - 1, 0)
    last = tf.minimum(-(-(start + count) // numerator) + 1, -(-length // denominator))
    stop = tf.minimum(last * denominator, length)
    return _Window(
        start=first * denominator,
        stop=stop,
        padding=last * denominator - stop,
        resized=(last - first) * numerator,
        offset=start - first * numerator,
    )


def _scaled_image(image, rows, columns):
    import tensorflow as tf

    window = image[rows.start : rows.stop, columns.start : columns.stop]
    # Blending at the edge reads the first pixel of the padding, which must repeat the last one inside.
    window = tf.pad(window, [[0, rows.padding], [0, columns.padding], [0, 0]], "SYMMETRIC")
    resized = tf.image.resize(window, [rows.resized, columns.resized], method="bilinear", antialias=False)
    return tf.cast(tf.cast(resized, tf.float32) + 0.5, tf.uint8)  # a resize to the same size stays uint8


def _scaled_label(label, top_left, count, scale):
    import tensorflow as tf

    rows, columns = (_nearest(top_left[axis], count[axis], scale) for axis in range(2))
    # Rows are copied whole; picking columns pixel by pixel takes twice as long as two transpositions.
    columns_first = tf.gather(tf.transpose(tf.gather(label, rows)), columns)
    return tf.transpose(columns_first)


def _nearest(start, count, scale):
    """The source pixel under the centre of each scaled pixel, in integers: floor((position + 1/2) · d / n)."""
    import tensorflow as tf

    positions = tf.range(start, start + count)
    return (2 * positions + 1) * scale[1] // (2 * scale[0])


def _padded(image, label, crop_size):
    import tensorflow as tf

    height, width = tf.shape(label)[0], tf.shape(label)[1]
    paddings = [[0, crop_size[0] - height], [0, crop_size[1] - width]]
    image = tf.pad(image, [*paddings, [0, 0]])
    label = tf.pad(label, paddings, constant_values=IGNORE_LABEL)
    return tf.ensure_shape(image, [*_static(crop_size), 3]), tf.ensure_shape(label, _static(crop_size))


def _static(crop_size):
    return [size if isinstance(size, int) else None for size in crop_size]


def _random_below(limit, seed):
    import tensorflow as tf

    return tf.random.stateless_uniform([], seed, 0, limit, tf.int32)
