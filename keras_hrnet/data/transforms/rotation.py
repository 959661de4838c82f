"""Scales and rotates an image and its label, and crops a window of them, in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from keras_hrnet.data.transforms.geometry import rounded
from keras_hrnet.data.transforms.placement import Axis, double, scaled_position

if TYPE_CHECKING:
    import tensorflow as tf


class Turn(NamedTuple):
    """A rotation of the scaled image within its frame.

    Args:
        degrees: the angle, counterclockwise on the screen, a float64 scalar.
        row: row of the center of rotation, in scaled pixels from the upper edge.
        column: column of the center of rotation, in scaled pixels from the left edge.
    """

    degrees: Any
    row: Any
    column: Any


def random_turn(rows: Axis, columns: Axis, *, largest: float, seed: tf.Tensor, focus: tf.Tensor | None = None) -> Turn:
    """Draws a rotation about the center of the image, or about the pixel in focus, which then stays inside the frame.

    Args:
        largest: maximum angle in either direction, in degrees.
        seed: int64 `(2,)`.
        focus: row and column of a source pixel, int32 `(2,)`; negative numbers or None for the center of the image.
    """
    import tensorflow as tf

    degrees = tf.random.stateless_uniform([], seed, -largest, largest, tf.float64)
    pivot = [double(axis.frame) / 2 for axis in (rows, columns)]
    if focus is not None:
        places = [double(scaled_position(axis, focus[i])) + 0.5 for i, axis in enumerate((rows, columns))]
        pivot = [tf.where(focus[0] < 0, middle, place) for middle, place in zip(pivot, places, strict=True)]
    return Turn(degrees, *pivot)


def rotated_image(image: tf.Tensor, rows: Axis, columns: Axis, turn: Turn) -> tf.Tensor:
    """Scales and rotates an image, and crops a window, with bilinear interpolation.

    Args:
        image: uint8 `(height, width, 3)`, in [0, 255].

    Returns:
        uint8 `(rows.count, columns.count, 3)`; pixels outside the image equal the nearest pixel of its edge.
    """
    import tensorflow as tf

    window, matrix = _window(image, _source_matrix(rows, columns, turn), rows, columns)
    # In float32, because the kernel truncates the gray levels of uint8 images.
    return rounded(_sampled(tf.cast(window, tf.float32), matrix, rows, columns, "BILINEAR"))


def rotated_label(label: tf.Tensor, rows: Axis, columns: Axis, turn: Turn) -> tf.Tensor:
    """Scales and rotates a label, and crops a window in which each pixel is the source pixel under its center.

    Args:
        label: uint8 `(height, width)`.

    Returns:
        uint8 `(rows.count, columns.count)`; pixels outside the image equal the nearest pixel of its edge.
    """
    window, matrix = _window(label[:, :, None], _source_matrix(rows, columns, turn), rows, columns)
    return _sampled(window, matrix, rows, columns, "NEAREST")[:, :, 0]


def inside_image(rows: Axis, columns: Axis, turn: Turn) -> tf.Tensor:
    """Returns a mask of the pixels of a crop that are inside the image.

    Returns:
        bool `(rows.count, columns.count)`.
    """
    import tensorflow as tf

    x, y = double(tf.range(columns.count)) + 0.5, double(tf.range(rows.count))[:, None] + 0.5
    to_column, to_row = tf.unstack(_source_matrix(rows, columns, turn))
    inside = True
    for (over_x, over_y, offset), axis in ((tf.unstack(to_column), columns), (tf.unstack(to_row), rows)):
        # Single precision is exact to a thousandth of a pixel, and takes half the time.
        place = tf.cast(over_x * x, tf.float32) + tf.cast(over_y * y + offset, tf.float32)
        inside &= (place >= 0) & (place < tf.cast(axis.length, tf.float32))
    return inside


def _source_matrix(rows, columns, turn):
    """Returns the matrix from x and y in the crop to those in the source, in pixels: float64 `(2, 3)`."""
    import tensorflow as tf

    radians = turn.degrees * (3.141592653589793 / 180)
    cosine, sine = tf.cos(radians), tf.sin(radians)
    x, y = double(columns.start) - turn.column, double(rows.start) - turn.row
    over_columns, over_rows = (double(axis.denominator) / double(axis.numerator) for axis in (columns, rows))
    # Since the image is rotated counterclockwise, positions are rotated clockwise to find their source; y points down.
    matrix = tf.stack(
        [
            tf.stack([cosine, -sine, cosine * x - sine * y + turn.column]) * over_columns,
            tf.stack([sine, cosine, sine * x + cosine * y + turn.row]) * over_rows,
        ]
    )
    mirror = tf.stack([[-1.0, 0.0, double(columns.count)], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return tf.where(columns.mirrored, tf.matmul(matrix, mirror), matrix)


def _window(image, matrix, rows, columns):
    """Returns the part of an image that a crop reads, and the matrix from the crop to this part."""
    import tensorflow as tf

    right, bottom = double(columns.count), double(rows.count)
    corners = tf.stack([[0.0, 0.0, 1.0], [right, 0.0, 1.0], [0.0, bottom, 1.0], [right, bottom, 1.0]])
    places = tf.matmul(matrix, tf.cast(corners, tf.float64), transpose_b=True)
    lengths = tf.stack([columns.length, rows.length])
    # Interpolation reads one more pixel on each side; a crop outside the image reads the pixels of its edge.
    start = tf.cast(tf.floor(tf.reduce_min(places, axis=1)), tf.int32) - 1
    stop = tf.cast(tf.math.ceil(tf.reduce_max(places, axis=1)), tf.int32) + 1
    start = tf.clip_by_value(start, 0, lengths - 1)
    stop = tf.clip_by_value(stop, start + 1, lengths)
    window = image[start[1] : stop[1], start[0] : stop[0]]
    return window, matrix - tf.concat([tf.zeros([2, 2], tf.float64), double(start)[:, None]], axis=1)


def _sampled(window, matrix, rows, columns, interpolation):
    import tensorflow as tf

    # In the kernel, the center of the first pixel has the coordinates (0, 0), both in the crop and in the source.
    offsets = tf.reduce_sum(matrix * [0.5, 0.5, 1.0], axis=1, keepdims=True) - 0.5
    transform = tf.concat([matrix[:, :2], offsets], axis=1)
    transform = tf.concat([tf.reshape(transform, [6]), tf.zeros([2], tf.float64)], axis=0)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=window[None],
        transforms=tf.cast(transform, tf.float32)[None],
        output_shape=[rows.count, columns.count],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode="NEAREST",
    )[0]
