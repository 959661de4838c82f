"""Reads the pixels of images, and the values that label images store: the one way in which all files are read."""

import io
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from keras_hrnet.picture_files.opening import load_upright, opened
from keras_hrnet.picture_files.reading import UnusableFileError, read_file

NUMPY_SIGNATURE = b"\x93NUMPY"
"""The first bytes of files that `numpy.save` writes."""

GREY_STEPS = {1: 1, 2: 85, 4: 17, 8: 1}
"""The factor by which Pillow multiplies the values of a grey PNG, by its bits a channel."""


def rgb_pixels(source: str | os.PathLike | bytes, path: str | os.PathLike) -> np.ndarray:
    """Reads a picture upright, in RGB of 8 bits.

    Grey becomes red, green and blue alike, a palette its colours, and CMYK what Pillow makes of it. Transparency is
    dropped. Of 16 bits a channel, the high byte is kept: value // 256. Of several pictures in a file, the first counts.

    Args:
        source: the path, or the whole contents.
        path: names the file in errors.

    Returns:
        uint8 `(height, width, 3)`, RGB in [0, 255].

    Raises:
        UnusableFileError: if it is no picture, damaged, larger than the limit, or of a pixel format without a rule.
    """
    with opened(source, path) as image:
        check_mode(image, path)
        image = load_upright(image)
        return np.repeat(_grey(image)[..., None], 3, axis=-1) if _is_deep(image) else _rgb(image)


def _rgb(image):
    # Pillow's conversion copies even what is RGB already.
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _is_deep(image):
    return image.mode.startswith("I")


def _grey(image):
    return (np.asarray(image) >> 8).astype(np.uint8) if _is_deep(image) else np.asarray(image.convert("L"))


def pixels(source: str | os.PathLike | bytes, path: str | os.PathLike, channels: int = 3) -> np.ndarray:
    """Reads the channels of an image: RGB as `rgb_pixels`, grey, or as many as the file holds.

    One channel is the grey of a picture, of colours 0.299 red + 0.587 green + 0.114 blue; of 16 bits, the high byte.
    Any other number must be that of the picture, as it stores them: 4 of a PNG in RGBA, without regard to what they
    mean. More than four come in files of NumPy (`numpy.save`).

    Args:
        source: the path, or the whole contents.
        path: names the file in errors.
        channels: how many.

    Returns:
        `(height, width, channels)`: uint8 in [0, 255], or what a file of NumPy holds.

    Raises:
        UnusableFileError: as `rgb_pixels`, or if the file has another number of channels.
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
            return _grey(image)[..., None]
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
    """Makes the error of a file that has another number of channels than a network takes.

    Args:
        found: how many it has, or what else, to be read after "has".
        channels: how many were expected.
    """
    has = found if isinstance(found, str) else f"{found} channel{'s' * (found > 1)}"
    cure = "Save four channels as PNG in RGBA, or any number with numpy.save, as an array (height, width, channels)."
    return UnusableFileError(path, "channels", found=f"has {has}", expected=f"{channels} channels", cure=cure)


def check_mode(image: Image.Image, path: str | os.PathLike) -> None:
    """Refuses pixel formats for which there is no rule that converts them to RGB of 8 bits.

    Raises:
        UnusableFileError: if it is one of them, such as numbers of 32 bits.
    """
    # Older versions of Pillow call a PNG of 16 bits "I".
    is_deep = image.mode in ("F", "I") and (image.mode, image.format) != ("I", "PNG")
    if is_deep or image.mode in ("LAB", "HSV"):
        raise UnusableFileError(
            path,
            "pixel format",
            found=f"has pixels of the mode {image.mode!r}" + ", more than 16 bits a channel" * is_deep,
            expected="a picture in grey, RGB, CMYK or with a palette, of at most 16 bits a channel",
            cure="Scale its values to 0 to 255, and save it again." if is_deep else "Convert it to RGB.",
        )


def stored_values(
    source: str | os.PathLike | bytes,
    path: str | os.PathLike,
    palette: Sequence[tuple[int, int, int]] | None = None,
    unknown: int = 254,
) -> np.ndarray:
    """Reads the values that a label image stores, upright: grey of any depth, indices of a palette, or colours.

    Args:
        source: the path, or the whole contents.
        path: names the file in errors.
        palette: the colour of value 0, 1, …, by which a colour picture is read.
        unknown: the value of a colour that the palette does not have.

    Returns:
        uint8 or, of a file of 16 bits, uint16 `(height, width)`.

    Raises:
        UnusableFileError: if it is no picture, damaged, larger than the limit, or in colours without a palette.
    """
    with opened(source, path) as image:
        bits = png_bits(source) if image.format == "PNG" else 8
        image = load_upright(image)
        if image.mode in ("1", "L", "P") or image.mode.startswith("I"):
            return _values_of_grey(image, bits)
        if palette is None:
            raise UnusableFileError(
                path,
                "pixel format",
                found=f"is a picture in colours ({image.mode})",
                expected="values of classes in grey",
                cure="Pass the colours of the classes (`palette`).",
            )
        return values_of_colors(np.asarray(image.convert("RGB")).astype(np.uint32), palette, unknown)


def png_bits(source: str | os.PathLike | bytes) -> int:
    """Returns the bits a channel of a PNG file (byte 24: PNG specification, section 11.2.1)."""
    if isinstance(source, bytes):
        return source[24]
    with open(source, "rb") as file:
        return file.read(25)[24]


def values_of_colors(pixels: np.ndarray, palette: Sequence[tuple[int, int, int]], unknown: int = 254) -> np.ndarray:
    """Finds the place of each pixel's colour in a palette.

    Args:
        pixels: uint32 `(height, width, 3)`, RGB in [0, 255].
        palette: the colour of value 0, 1, ….
        unknown: the value of a colour that the palette does not have.

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


def _values_of_grey(image, bits):
    values = np.asarray(image)
    if image.mode.startswith("I"):
        return values.astype(np.uint16)
    # A palette's indices are not multiplied.
    return values.astype(np.uint8) if image.mode != "L" else values // np.uint8(GREY_STEPS.get(bits, 1))
