"""Checks whether a network can be trained on an image, and how the pipeline reads it."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from keras_hrnet.data.files.plain import JPEG_SIGNATURE, plain_pixels
from keras_hrnet.data.files.png import (
    GRAY,
    NUM_HEADER_BYTES,
    PNG_SIGNATURE,
    RGB,
    read_png,
)
from keras_hrnet.picture_files.opening import TURNS, load_upright, opened, orientation_of
from keras_hrnet.picture_files.pixels import check_mode, other_channels, rgb_pixels
from keras_hrnet.picture_files.reading import read_file

MOST_TENSORFLOW_BYTES = 2**29 - 1
"""The largest output of TensorFlow's decoders: `tensorflow/core/kernels/image/decode_image_op.cc`."""


class ImageHeader(NamedTuple):
    """The header of a picture file.

    Args:
        height: height of the upright picture, in pixels.
        width: width of the upright picture, in pixels.
        format: its pixel format in words, such as "8-bit RGB".
        orientation: orientation of the stored pixels, from Exif or XMP data; 1 is upright.
        by_pillow: whether Pillow must decode it, because TensorFlow's faster decoders do not give the same pixels.
    """

    height: int
    width: int
    format: str
    orientation: int = 1
    by_pillow: bool = False


def check_image(path: str | os.PathLike, *, contents: bool = True) -> ImageHeader:
    """Checks that a file is an undamaged picture that can be read as 8-bit RGB (see `rgb_pixels`).

    Args:
        contents: whether to read and decode the file, as training does; if False, only its header is read.

    Raises:
        UnusableFileError: if it is not a picture, is damaged, is larger than the limit, or has an unsupported pixel
            format.
    """
    data = read_file(path, -1 if contents else NUM_HEADER_BYTES)
    if data.startswith(PNG_SIGNATURE):
        return _check_png(path, data, contents)
    source = data if contents else path
    with opened(source, path) as image:
        check_mode(image, path)
        orientation = orientation_of(image)
        is_jpeg = data.startswith(JPEG_SIGNATURE)
        if is_jpeg and image.mode in ("L", "RGB") and orientation not in TURNS and _fits_tensorflow(*image.size):
            header = ImageHeader(image.height, image.width, f"JPEG in {image.mode}", orientation)
            if contents:
                plain_pixels(data, path)
            return header
        return _header_by_pillow(path, source, image, orientation, contents)


def check_channels(paths: Iterable[str | os.PathLike], channels: int) -> None:
    """Refuses pictures that store another number of channels; only their headers are read.

    Raises:
        UnusableFileError: for the first of them, or the first that cannot be opened.
    """
    for path in paths:
        with opened(path, path) as image:
            if len(image.getbands()) != channels:
                raise other_channels(path, len(image.getbands()), channels)


def _check_png(path, data, contents):
    header, orientation = read_png(data, path, contents)
    source = data if contents else path
    is_plain = (header.bit_depth, header.color_type) in ((8, RGB), (8, GRAY)) and orientation not in TURNS
    if is_plain and _fits_tensorflow(header.height, header.width):
        if contents:
            plain_pixels(data, path)
        return ImageHeader(header.height, header.width, header.format, orientation)
    with opened(source, path, ["PNG"]) as image:
        return _header_by_pillow(path, source, image, orientation, contents)._replace(format=header.format)


def _header_by_pillow(path, source, image, orientation, contents):
    name = f"{image.format} in {image.mode}"
    if contents:
        height, width, _ = rgb_pixels(source, path).shape
    else:
        # Whether the size in the header of a TIFF is that of the upright picture depends on the version of Pillow.
        width, height = load_upright(image).size if orientation in TURNS else image.size
    return ImageHeader(height, width, name, orientation, by_pillow=True)


def _fits_tensorflow(height, width):
    return 3 * height * width <= MOST_TENSORFLOW_BYTES
