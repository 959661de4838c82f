"""Decodes image files to pixels, and label files to the values that they store, inside `tf.data`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.files.plain import decode_plain_image, decode_plain_label
from keras_hrnet.data.label_coding import UNKNOWN_ID, LabelCoding
from keras_hrnet.data.transforms.lookup import looked_up
from keras_hrnet.data_sets.classes import Color
from keras_hrnet.data_sets.label_values import in_words
from keras_hrnet.picture_files.compressed import decompressed, is_compressed
from keras_hrnet.picture_files.pixels import other_channels, pixels, stored_pixels, values_of

if TYPE_CHECKING:
    import tensorflow as tf

GRAY_8 = b"\x08\x00"
"""Bytes 24 and 25 of a PNG file, bit depth and color type (PNG specification, section 11.2.1): 8-bit gray."""


def decode_image(
    contents: tf.Tensor, name: tf.Tensor | str = "", in_python: tf.Tensor | bool = False, channels: int = 3
) -> tf.Tensor:
    """Decodes a picture file.

    The pixels equal those of `keras_hrnet.picture_files.pixels.pixels`, and therefore of
    `keras_hrnet.evaluation.read_image`, so that training and prediction see the same photo.

    Args:
        contents: the contents of the file, a string scalar.
        name: the path of the file, a string scalar, for errors.
        in_python: whether it is decoded in Python, by Pillow or, if `compressed` wrote it, by Zstandard; a boolean.
            TensorFlow decodes upright PNG and JPEG files in 8-bit gray or RGB, to the same pixels.
        channels: 3 for RGB; files with any other number are decoded in Python.

    Returns:
        uint8 `(height, width, channels)`, RGB or other channels in [0, 255].
    """
    tf = host_tensorflow()
    contents, name, in_python = map(tf.convert_to_tensor, (contents, name, in_python))

    def by_tensorflow():
        return decode_plain_image(contents)

    def read(data, path):
        data, path = _bytes(data), os.fsdecode(_bytes(path))
        if not is_compressed(data):
            return pixels(data, path, channels)
        values = decompressed(data, path)
        if values.shape[2:] != (channels,):
            raise other_channels(path, f"the shape {values.shape}", channels)
        return values

    def read_in_python():
        return tf.numpy_function(read, [contents, name], tf.uint8, stateful=False)

    image = read_in_python() if channels != 3 else tf.cond(in_python, read_in_python, by_tensorflow)
    return tf.ensure_shape(image, (None, None, channels))


def decode_label(
    contents: tf.Tensor,
    palette: Sequence[Color] | None = None,
    name: tf.Tensor | str = "",
    in_python: tf.Tensor | bool = False,
) -> tf.Tensor:
    """Decodes the values that a label image stores, as `stored_values` reads them.

    Args:
        contents: the contents of the file, a string scalar. It is in gray, has a palette (its indices are the values),
            or is in color.
        palette: the color of stored value 0, 1, …, with which a color picture is decoded.
        name: the path of the file, a string scalar, for errors.
        in_python: whether it is decoded in Python, as in `decode_image`; TensorFlow decodes upright PNG files in 8-bit
            gray.

    Returns:
        uint8 `(height, width)`; 254 for pixels of a color picture whose color is not in the palette.
    """
    tf = host_tensorflow()
    contents, name, in_python = map(tf.convert_to_tensor, (contents, name, in_python))

    def read(data, path):
        data, path = _bytes(data), os.fsdecode(_bytes(path))
        stored = decompressed(data, path) if is_compressed(data) else stored_pixels(data, path)
        values = values_of(stored, path, palette, UNKNOWN_ID)
        if values.max(initial=0) > 255:
            raise ValueError(
                f"{path} holds the value {values.max()}. Expected at most 255. Save it with smaller values."
            )
        return values.astype(np.uint8)

    label = tf.cond(
        # TensorFlow's decoder does not return the indices of a palette, and scales values of fewer than 8 bits.
        tf.cond(in_python, lambda: True, lambda: tf.strings.substr(contents, 24, 2) != GRAY_8),
        lambda: tf.numpy_function(read, [contents, name], tf.uint8, stateful=False),
        lambda: decode_plain_label(contents),
    )
    return tf.ensure_shape(label, (None, None))


def _bytes(value):
    # In eager mode, TensorFlow passes an array of one object.
    return value if isinstance(value, bytes) else value.item()


def train_ids(label: tf.Tensor, coding: LabelCoding, name: tf.Tensor) -> tf.Tensor:
    """Maps stored values to train ids.

    Args:
        label: uint8 of any shape, stored values.
        coding: how they store the classes.
        name: the file that contains them, a string scalar, for the error.

    Returns:
        uint8 of the same shape: classes, and 255 for ignored pixels.

    Raises:
        tf.errors.InvalidArgumentError: if a pixel has a value that is neither a class nor ignored.
    """
    tf = host_tensorflow()
    mapped = looked_up(label, coding.train_id_of_value)
    known = tf.debugging.Assert(
        tf.reduce_all(mapped != UNKNOWN_ID),
        [name, f"holds values that are not classes. Expected {in_words(coding.known_values)}. Restore the file."],
    )
    with tf.control_dependencies([known]):
        return tf.identity(mapped)
