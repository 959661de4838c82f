"""JPEG files: their size, channels and orientation, and whether they are whole."""

import io
import os
import struct
from typing import NamedTuple

from PIL import Image

from keras_hrnet.data.files.reading import UnusableFileError

JPEG_SIGNATURE = b"\xff\xd8\xff"
ORIENTATION_TAG = 0x0112
"""Exif 2.32, table 4: 1 is upright, 2 to 8 are turned or mirrored."""
TURNED = range(2, 9)


class JpegHeader(NamedTuple):
    """What a JPEG file says of itself; `mode` is Pillow's, and `orientation` that of its Exif data."""

    height: int
    width: int
    mode: str
    orientation: int

    @property
    def format(self) -> str:
        """The pixel format in words, such as "JPEG in RGB"."""
        return f"JPEG in {'grey' if self.mode == 'L' else self.mode}"


def read_jpeg_header(path: str | os.PathLike) -> JpegHeader:
    """Reads the size, the channels and the orientation of a JPEG file.

    Raises:
        UnusableFileError: if the file's header cannot be read.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            return JpegHeader(image.height, image.width, image.mode, _orientation(image))
    except (OSError, Image.DecompressionBombError) as error:
        raise _undecodable(path, error) from error


def check_jpeg(data: bytes, path: str | os.PathLike) -> None:
    """Checks that a JPEG file decodes up to its end: the format has no checksums.

    Args:
        data: the whole file.

    Raises:
        UnusableFileError: if it does not.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            # All of the data is read, and only one pixel of each block of 8x8 is computed.
            image.draft("RGB", (1, 1))
            image.load()
    except (OSError, SyntaxError) as error:
        raise _undecodable(path, error) from error


def _orientation(image):
    try:
        return image.getexif().get(ORIENTATION_TAG, 1)
    except (SyntaxError, struct.error):  # what Pillow raises for Exif data that no program can read
        return 1


def _undecodable(path, error):
    return UnusableFileError(
        path,
        "cut short" if "truncated" in str(error).lower() else "damaged",
        found=f"cannot be decoded ({error})",
        expected="an undamaged JPEG file",
    )
