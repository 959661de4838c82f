"""Decodes plain pictures, in 8-bit gray or RGB, with TensorFlow: the decoders that checks and training share.

Files that pass the check of a data set can be read in training, because both use the same decoder.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.picture_files.opening import opened
from keras_hrnet.picture_files.reading import UnusableFileError

if TYPE_CHECKING:
    import tensorflow as tf

JPEG_SIGNATURE = b"\xff\xd8\xff"


def decode_plain_image(contents: tf.Tensor) -> tf.Tensor:
    """Decodes an upright PNG or JPEG file in 8-bit gray or RGB to the pixels that Pillow gives.

    Args:
        contents: the file, a string scalar.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: if it is damaged; the message does not name the file.
    """
    tf = host_tensorflow()
    return tf.cond(
        tf.strings.substr(contents, 0, len(JPEG_SIGNATURE)) == JPEG_SIGNATURE,
        # TensorFlow's default is a faster transform, whose pixels differ from Pillow's by up to 18.
        lambda: tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_png(contents, channels=3),
    )


def decode_plain_label(contents: tf.Tensor) -> tf.Tensor:
    """Decodes an upright PNG file in 8-bit gray, as `decode_plain_image`: uint8 `(height, width)`."""
    tf = host_tensorflow()
    return tf.squeeze(tf.io.decode_png(contents, channels=1), 2)


def plain_pixels(contents: bytes, path: str | os.PathLike, *, is_label: bool = False) -> np.ndarray:
    """Decodes the contents of a plain picture immediately, as training will do.

    Args:
        path: path of the file, for errors.
        is_label: whether it is a label image, in gray.

    Returns:
        The result of `decode_plain_image` or `decode_plain_label`.

    Raises:
        UnusableFileError: if it is damaged.
    """
    tf = host_tensorflow()
    try:
        return (decode_plain_label if is_label else decode_plain_image)(tf.constant(contents)).numpy()
    except tf.errors.OpError as error:
        # Pillow usually fails too, and states the reason.
        with opened(contents, path) as image:
            image.load()
        raise UnusableFileError(
            path,
            "damaged",
            found="cannot be decoded: its pixels are damaged, or some are missing",
            expected="an undamaged picture file",
        ) from error
