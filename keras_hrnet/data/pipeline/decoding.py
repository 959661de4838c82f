"""Bytes of image files become pixels, and bytes of label files the values that they store, inside `tf.data`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.files.jpeg import JPEG_SIGNATURE
from keras_hrnet.data.label_coding import UNKNOWN_ID, LabelCoding
from keras_hrnet.data.transforms.lookup import looked_up
from keras_hrnet.data_sets.classes import Color
from keras_hrnet.data_sets.label_values import in_words

if TYPE_CHECKING:
    import tensorflow as tf

GREY_8 = b"\x08\x00"
"""Bytes 24 and 25 of a PNG file, bit depth and colour type (PNG specification, section 11.2.1): 8-bit grey."""


def decode_image(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG or JPEG file, a string scalar: uint8 `(height, width, 3)`, RGB in [0, 255].

    Its pixels are those of `keras_hrnet.evaluation.read_image`, so that training and prediction see the same photo.
    """
    tf = host_tensorflow()
    image = tf.cond(
        tf.strings.substr(contents, 0, len(JPEG_SIGNATURE)) == JPEG_SIGNATURE,
        # TensorFlow's default is a faster transform, whose pixels differ from Pillow's by up to 18.
        lambda: tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


def decode_label(contents: tf.Tensor, palette: Sequence[Color] | None = None) -> tf.Tensor:
    """Decodes a label image: the values that it stores.

    Args:
        contents: a PNG file, a string scalar: grey, with a palette (its indices are the values), or in colour.
        palette: the colour of stored value 0, 1, …, by which a colour picture is read.

    Returns:
        uint8 `(height, width)`; 254 where a colour picture has a colour that the palette does not have.
    """
    tf = host_tensorflow()
    is_grey = tf.strings.substr(contents, 24, 2) == GREY_8
    label = tf.cond(
        is_grey,
        lambda: tf.squeeze(tf.io.decode_png(contents, channels=1), 2),
        # TensorFlow's decoder has no way to get at a palette's indices.
        lambda: tf.numpy_function(lambda data: stored_values(data, palette), [contents], tf.uint8, stateful=False),
    )
    return tf.ensure_shape(label, (None, None))


def train_ids(label: tf.Tensor, coding: LabelCoding, name: tf.Tensor) -> tf.Tensor:
    """Maps stored values to train ids.

    Args:
        label: uint8 of any shape, stored values.
        coding: how they store the classes.
        name: the file that they are from, a string scalar, for the error.

    Returns:
        uint8 of the same shape: classes, and 255 for ignored pixels.

    Raises:
        tf.errors.InvalidArgumentError: if a pixel has a value that is neither a class nor ignored.
    """
    tf = host_tensorflow()
    mapped = looked_up(label, coding.train_id_of_value)
    known = tf.debugging.Assert(
        tf.reduce_all(mapped != UNKNOWN_ID),
        [name, f"holds values that are no class. Expected {in_words(coding.known_values)}. Restore the file."],
    )
    with tf.control_dependencies([known]):
        return tf.identity(mapped)


def stored_values(data: bytes, palette: Sequence[Color] | None = None) -> np.ndarray:
    """Decodes a label image of any pixel format with Pillow, as `decode_label` does: uint8 `(height, width)`."""
    with Image.open(io.BytesIO(data)) as image:
        if image.mode in ("L", "P"):
            return np.asarray(image)
        pixels = np.asarray(image.convert("RGB")).astype(np.uint32)
    return values_of_colors(pixels, palette)


def values_of_colors(pixels: np.ndarray, palette: Sequence[Color]) -> np.ndarray:
    """Finds the place of each pixel's colour in a palette.

    Args:
        pixels: uint32 `(height, width, 3)`, RGB in [0, 255].
        palette: the colour of value 0, 1, ….

    Returns:
        uint8 `(height, width)`; 254 for a colour that the palette does not have.
    """
    codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    known = np.array([red << 16 | green << 8 | blue for red, green, blue in palette], np.uint32)
    order = np.argsort(known)
    place = np.searchsorted(known, codes, sorter=order).clip(max=len(known) - 1)
    values = order[place].astype(np.uint8)
    values[known[values] != codes] = UNKNOWN_ID
    return values
