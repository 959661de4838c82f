"""Reads the pixels of images and the values of label images, in the same way for all parts of the package."""

import io
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from keras_hrnet.picture_files.opening import load_upright, opened
from keras_hrnet.picture_files.reading import UnusableFileError, read_file

NUMPY_SIGNATURE = b"\x93NUMPY"
"""The first bytes of files that `numpy.save` writes."""

CURE_OF_COLORS = (
    "Pass the colors of the classes in the order of their names: palette=[(0, 0, 0), (255, 0, 0)], or --palette "
    "'#000000,#ff0000'."
)
"""What to do about a label image in color, if the colors of the classes are not known."""

GRAY_STEPS = {1: 1, 2: 85, 4: 17, 8: 1}
"""The factor by which Pillow multiplies the values of a gray PNG, by its bits per channel."""


def rgb_pixels(source: str | os.PathLike | bytes, path: str | os.PathLike) -> np.ndarray:
    """Reads a picture upright, in RGB with 8 bits per channel.

    Gray values become equal red, green and blue; palette indices become colors; and CMYK is converted by Pillow.
    Transparency is dropped. If channels have 16 bits, the high byte is kept: value // 256. If a file holds several
    pictures, the first is read.

    Args:
        source: the path, or the complete contents of the file.
        path: the path of the file, for errors.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        UnusableFileError: if the file is not a picture, is damaged, is larger than the limit, or has an unsupported
            pixel format.
    """
    with opened(source, path) as image:
        check_mode(image, path)
        image = load_upright(image)
        return np.repeat(_gray(image)[..., None], 3, axis=-1) if _is_deep(image) else _rgb(image)


def _rgb(image):
    # Pillow's conversion copies even pictures that are already RGB.
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _is_deep(image):
    return image.mode.startswith("I")


def _gray(image):
    return (np.asarray(image) >> 8).astype(np.uint8) if _is_deep(image) else np.asarray(image.convert("L"))


def pixels(source: str | os.PathLike | bytes, path: str | os.PathLike, channels: int = 3) -> np.ndarray:
    """Reads the channels of an image: RGB as `rgb_pixels` does, gray, or as many channels as the file holds.

    One channel is the gray value of a picture: 0.299 red + 0.587 green + 0.114 blue for colors, the high byte for 16
    bits. Any other number must match the channels that the picture stores, whatever they mean, such as 4 for a PNG in
    RGBA. Images with more than four channels are read from NumPy files (`numpy.save`).

    Args:
        source: the path, or the complete contents of the file.
        path: the path of the file, for errors.
        channels: number of channels.

    Returns:
        `(height, width, channels)`: uint8 in [0, 255], or the array of a NumPy file, with its dtype.

    Raises:
        UnusableFileError: as for `rgb_pixels`, or if the file has another number of channels.
    """
    start = source[: len(NUMPY_SIGNATURE)] if isinstance(source, bytes) else read_file(source, len(NUMPY_SIGNATURE))
    if start == NUMPY_SIGNATURE:
        return _array(source, path, channels)
    if channels == 3:
        return rgb_pixels(source, path)
    with opened(source, path) as image:
        check_mode(image, path)
        image = load_upright(image)
        if channels == 1:
            return _gray(image)[..., None]
        if len(image.getbands()) != channels:
            raise other_channels(path, len(image.getbands()), channels)
        return np.asarray(image)


def _array(source, path, channels):
    try:
        values = np.load(io.BytesIO(source) if isinstance(source, bytes) else source, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UnusableFileError(
            path, "damaged", found=f"cannot be read by NumPy ({error})", expected="an array that numpy.save wrote"
        ) from error
    if values.ndim != 3 or values.shape[-1] != channels:
        raise other_channels(path, f"the shape {values.shape}", channels)
    return values


def other_channels(path: str | os.PathLike, found: int | str, channels: int) -> UnusableFileError:
    """Creates the error for a file whose number of channels differs from that of a network.

    Args:
        found: the number of its channels, or a description to be read after "has".
        channels: the expected number.
    """
    has = found if isinstance(found, str) else f"{found} channel{'s' * (found > 1)}"
    cure = "Save four channels as an RGBA PNG, or any number with numpy.save, as an array (height, width, channels)."
    return UnusableFileError(path, "channels", found=f"has {has}", expected=f"{channels} channels", cure=cure)


def check_mode(image: Image.Image, path: str | os.PathLike) -> None:
    """Refuses pixel formats that cannot be converted to RGB with 8 bits per channel.

    Raises:
        UnusableFileError: if the image has such a format, for example 32-bit numbers.
    """
    # Older versions of Pillow report the mode "I" for a 16-bit PNG.
    is_deep = image.mode in ("F", "I") and (image.mode, image.format) != ("I", "PNG")
    if is_deep or image.mode in ("LAB", "HSV"):
        raise UnusableFileError(
            path,
            "pixel format",
            found=f"has pixels of the mode {image.mode!r}" + ", more than 16 bits per channel" * is_deep,
            expected="a picture in gray, RGB, CMYK or with a palette, with at most 16 bits per channel",
            cure="Scale its values to 0 to 255, and save it again." if is_deep else "Convert it to RGB.",
        )


def stored_values(
    source: str | os.PathLike | bytes,
    path: str | os.PathLike,
    palette: Sequence[tuple[int, int, int]] | None = None,
    unknown: int = 254,
) -> np.ndarray:
    """Reads the values that a label image stores, upright: gray values of any depth, palette indices, or colors.

    Args:
        source: the path, or the complete contents of the file.
        path: the path of the file, for errors.
        palette: the colors of the values 0, 1, …, by which a color picture is read.
        unknown: the value for colors that are not in the palette.

    Returns:
        uint8 or, for 16-bit files, uint16 `(height, width)`.

    Raises:
        UnusableFileError: if the file is not a picture, is damaged, is larger than the limit, or is a color picture and
            there is no palette.
    """
    return values_of(stored_pixels(source, path), path, palette, unknown)


def stored_pixels(source: str | os.PathLike | bytes, path: str | os.PathLike) -> np.ndarray:
    """Reads what a label image stores, upright.

    Args:
        source: the path, or the complete contents of the file.
        path: the path of the file, for errors.

    Returns:
        `(height, width)`, gray values or palette indices, uint8 or, for 16-bit files, uint16; or the colors of a color
        picture, uint8 `(height, width, 3)`.

    Raises:
        UnusableFileError: if the file is not a picture, is damaged, or is larger than the limit.
    """
    with opened(source, path) as image:
        bits = png_bits(source) if image.format == "PNG" else 8
        image = load_upright(image)
        if image.mode in ("1", "L", "P") or image.mode.startswith("I"):
            return _values_of_gray(image, bits)
        return np.asarray(image.convert("RGB"))


def values_of(
    pixels: np.ndarray,
    path: str | os.PathLike,
    palette: Sequence[tuple[int, int, int]] | None = None,
    unknown: int = 254,
) -> np.ndarray:
    """Returns the values of a label image, by the colors of a palette if it is a color picture.

    Args:
        pixels: the result of `stored_pixels`.
        path, palette, unknown: as in `stored_values`.

    Raises:
        UnusableFileError: if it is a color picture and there is no palette.
    """
    if pixels.ndim == 2:
        return pixels
    if palette is None:
        raise UnusableFileError(
            path,
            "pixel format",
            found="is a color picture",
            expected="class values in gray",
            cure=CURE_OF_COLORS,
        )
    return values_of_colors(pixels.astype(np.uint32), palette, unknown)


def png_bits(source: str | os.PathLike | bytes) -> int:
    """Returns the bits per channel of a PNG file (byte 24: PNG specification, section 11.2.1)."""
    if isinstance(source, bytes):
        return source[24]
    with open(source, "rb") as file:
        return file.read(25)[24]


def values_of_colors(pixels: np.ndarray, palette: Sequence[tuple[int, int, int]], unknown: int = 254) -> np.ndarray:
    """Finds the index of each pixel's color in a palette.

    Args:
        pixels: uint32 `(height, width, 3)`, RGB in [0, 255].
        palette: the colors of the values 0, 1, ….
        unknown: the value for colors that are not in the palette.

    Returns:
        uint8 `(height, width)`.
    """
    codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    known = np.array([red << 16 | green << 8 | blue for red, green, blue in palette], np.uint32)
    order = np.argsort(known)
    place = np.searchsorted(known, codes, sorter=order).clip(max=len(known) - 1)
    values = order[place].astype(np.uint8)
    values[known[values] != codes] = unknown
    return values


def _values_of_gray(image, bits):
    values = np.asarray(image)
    if image.mode.startswith("I"):
        return values.astype(np.uint16)
    # A palette's indices are not multiplied.
    return values.astype(np.uint8) if image.mode != "L" else values // np.uint8(GRAY_STEPS.get(bits, 1))
