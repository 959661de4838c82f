"""Crops a window of a scaled image and its scaled label, without scaling the rest of them.

Images are interpolated bilinearly (half-pixel centers, no antialiasing, as `cv2.INTER_LINEAR`), and labels are sampled
by nearest neighbor (with the same centers). Both are first cropped to a window of the source and then scaled, so that
the cost depends on the crop and not on the image; the values are the same as if they were scaled first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_hrnet.data.transforms.placement import Axis, shown_positions

if TYPE_CHECKING:
    import tensorflow as tf


def image_of_steps(image: tf.Tensor, rows: Axis, columns: Axis) -> tf.Tensor:
    """Scales an image by a fraction of small numbers, and crops a window.

    Args:
        image: uint8 `(height, width, 3)`, in [0, 255].

    Returns:
        uint8 `(rows.count, columns.count, 3)`.
    """
    import tensorflow as tf

    vertical, horizontal = _periods(rows), _periods(columns)
    window = image[vertical.start : vertical.stop, horizontal.start : horizontal.stop]
    window = _continued(_continued(window, vertical.padding, 0), horizontal.padding, 1)
    # The kernel is called directly, because `tf.image.resize` returns another dtype if the sizes are equal.
    resized = tf.raw_ops.ResizeBilinear(
        images=window[None], size=[vertical.resized, horizontal.resized], half_pixel_centers=True
    )
    vertical_stop, horizontal_stop = vertical.offset + rows.count, horizontal.offset + columns.count
    image = rounded(resized[0])[vertical.offset : vertical_stop, horizontal.offset : horizontal_stop]
    return tf.cond(columns.mirrored, lambda: tf.reverse(image, [1]), lambda: image)


def image_of_any_scale(image: tf.Tensor, rows: Axis, columns: Axis) -> tf.Tensor:
    """Scales an image by any fraction, and crops a window; it takes about three times as long as `image_of_steps`.

    Args:
        image: uint8 `(height, width, 3)`, in [0, 255].

    Returns:
        uint8 `(rows.count, columns.count, 3)`.
    """
    import tensorflow as tf

    spans = [_span(axis) for axis in (rows, columns)]
    window = image[spans[0].start : spans[0].stop, spans[1].start : spans[1].stop]
    # The outermost pixels are repeated, because interpolation reads up to half a pixel beyond them.
    window = tf.pad(window, [[1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    box = tf.stack([spans[0].first, spans[1].first, spans[0].last, spans[1].last])
    resized = tf.raw_ops.CropAndResize(
        image=window[None], boxes=box[None], box_ind=[0], crop_size=[rows.count, columns.count]
    )
    return rounded(resized[0])


def nearest_label(
    label: tf.Tensor, rows: Axis, columns: Axis, *, to_train_ids: Callable[[tf.Tensor], tf.Tensor], opencv: bool = False
) -> tf.Tensor:
    """Scales a label, and crops a window in which each pixel is the source pixel under its center.

    Args:
        label: uint8 `(height, width)`.
        rows: `Axis` of the rows, not mirrored.
        to_train_ids: function that maps stored values to train ids; it is called once, on the smaller of the source
            window and the crop.
        opencv: whether to use the source pixel under the upper left corner, as `cv2.INTER_NEAREST` does.

    Returns:
        uint8 `(rows.count, columns.count)`, train ids.
    """
    import tensorflow as tf

    pick = opencv_sources if opencv else nearest_sources
    wanted_rows, wanted_columns = pick(rows), pick(columns)
    top, bottom = wanted_rows[0], wanted_rows[-1]
    left = tf.minimum(wanted_columns[0], wanted_columns[-1])
    right = tf.maximum(wanted_columns[0], wanted_columns[-1])

    def upsampled():
        window = to_train_ids(label[top : bottom + 1, left : right + 1])
        return tf.gather(_picked_columns(window, wanted_columns - left), wanted_rows - top)

    def downsampled():
        window = tf.gather(label, wanted_rows)[:, left : right + 1]
        return to_train_ids(_picked_columns(window, wanted_columns - left))

    return tf.cond(rows.numerator > rows.denominator, upsampled, downsampled)


def nearest_sources(axis: Axis) -> tf.Tensor:
    """Returns the source pixel under the center of each pixel of a crop: int32 `(axis.count,)`."""
    import tensorflow as tf

    # floor((position + 1/2) · d / n), in integers, which round correctly for all scales and sizes.
    positions = tf.cast(shown_positions(axis), tf.int64)
    numerator, denominator = (tf.cast(part, tf.int64) for part in (axis.numerator, axis.denominator))
    sources = tf.cast((2 * positions + 1) * denominator // (2 * numerator), tf.int32)
    return tf.minimum(sources, axis.length - 1)


def opencv_sources(axis: Axis) -> tf.Tensor:
    """Returns the source pixels that `cv2.resize` with `INTER_NEAREST` uses for a crop: int32 `(axis.count,)`."""
    import tensorflow as tf

    positions = tf.cast(shown_positions(axis), tf.float64)
    # OpenCV multiplies by the inverse of the scale, in double precision; a division would round differently.
    inverse = 1 / (tf.cast(axis.frame, tf.float64) / tf.cast(axis.length, tf.float64))
    return tf.minimum(tf.cast(tf.floor(positions * inverse), tf.int32), axis.length - 1)


def rounded(image: tf.Tensor) -> tf.Tensor:
    """Rounds float32 gray levels to uint8, half up, and clips them to [0, 255]."""
    import tensorflow as tf

    # This takes one pass, and half the time of `tf.cast(image + 0.5, tf.uint8)`. `tf.quantization.quantize` would log a
    # warning.
    quantized = tf.raw_ops.QuantizeV2(input=image, min_range=0.0, max_range=255.0, T=tf.quint8)
    return tf.bitcast(quantized.output, tf.uint8)


class _Periods(NamedTuple):
    """A window of complete periods of a scale along one axis, in pixels.

    With a scale of n / d, n scaled pixels cover exactly d source pixels, which are one period. If a window of complete
    periods is resized separately, its pixels equal those of the resized image, except at its ends, where they are
    interpolated with pixels outside the window. The last period may extend `padding` pixels beyond the image. The crop
    begins at pixel `offset` of the `resized` pixels.
    """

    start: Any
    stop: Any
    padding: Any
    resized: Any
    offset: Any


def _periods(axis):
    import tensorflow as tf

    numerator, denominator = axis.numerator, axis.denominator
    # The number of scaled pixels between the center and the edge of the window's outermost source pixel. They are
    # interpolated with a pixel outside the window.
    margin = tf.maximum(-(-(numerator - denominator) // (2 * denominator)), 0)
    first = tf.maximum(axis.start - margin, 0) // numerator
    last = -(-(axis.start + axis.count + margin) // numerator)
    last = tf.minimum(last, -(-axis.length // denominator))
    stop = tf.minimum(last * denominator, axis.length)
    return _Periods(
        start=first * denominator,
        stop=stop,
        padding=last * denominator - stop,
        resized=(last - first) * numerator,
        offset=axis.start - first * numerator,
    )


def _continued(window, padding, axis):
    import tensorflow as tf

    # Interpolation at the edge of the image reads the first pixel of the padding, which must repeat the last pixel.
    edge = window[-1:] if axis == 0 else window[:, -1:]
    return tf.cond(padding > 0, lambda: tf.concat([window, tf.repeat(edge, padding, axis=axis)], axis), lambda: window)


class _Span(NamedTuple):
    """The source pixels from `start` to `stop` that a crop reads, and the positions of its outermost pixels.

    `first` and `last` are the centers of the first and the last pixel that the crop shows. They are fractions of the
    distance between the centers of the window's outermost pixels, after it has been padded by a pixel on each side.
    """

    start: Any
    stop: Any
    first: Any
    last: Any


def _span(axis):
    import tensorflow as tf

    def center(position):
        ratio = tf.cast(axis.denominator, tf.float64) / tf.cast(axis.numerator, tf.float64)
        return (tf.cast(position, tf.float64) + 0.5) * ratio - 0.5

    first, last = center(axis.start), center(axis.start + axis.count - 1)
    start = tf.maximum(tf.cast(tf.floor(first), tf.int32), 0)
    stop = tf.minimum(tf.cast(tf.floor(last), tf.int32) + 2, axis.length)
    way = tf.cast(stop - start + 1, tf.float64)
    first, last = tf.where(axis.mirrored, last, first), tf.where(axis.mirrored, first, last)
    shares = [tf.cast((place - tf.cast(start, tf.float64) + 1) / way, tf.float32) for place in (first, last)]
    return _Span(start, stop, *shares)


def _picked_columns(label, columns):
    import tensorflow as tf

    # Gathering rows copies complete rows. Gathering columns pixel by pixel takes twice as long as two transpositions.
    return tf.transpose(tf.gather(tf.transpose(label), columns))
