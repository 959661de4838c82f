"""Checks whether a label image contains only values, or colors, of its data set."""

import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_hrnet.data.files.plain import plain_pixels
from keras_hrnet.data.files.png import (
    GRAY,
    NUM_HEADER_BYTES,
    PALETTE,
    PNG_SIGNATURE,
    RGB,
    PngHeader,
    read_png,
)
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.picture_files.opening import TURNS, load_upright, opened, orientation_of
from keras_hrnet.picture_files.pixels import CURE_OF_COLORS, stored_values
from keras_hrnet.picture_files.reading import UnusableFileError, read_file

LOSSLESS = ("PNG", "TIFF", "BMP")
"""The formats of label images; WebP is left out because, like JPEG, it may be lossy."""

# Bits per channel and color type of a PNG (specification, third edition, table 11.1), by Pillow's mode.
_PNG_FORMATS = {
    "1": (1, GRAY),
    "L": (8, GRAY),
    "P": (8, PALETTE),
    "I;16": (16, GRAY),
    "I;16B": (16, GRAY),
    "RGB": (8, RGB),
    "LA": (8, 4),
    "RGBA": (8, 6),
}


class LabelHeader(NamedTuple):
    """The header of a label image, and the values in it.

    Args:
        height: height of the upright picture, in pixels.
        width: width of the upright picture, in pixels.
        format: its pixel format in words, such as "8-bit gray".
        by_pillow: whether Pillow must decode it, as in `ImageHeader`.
        occurring: the values that occur, or the colors in a color picture; None if only the header was read.
    """

    height: int
    width: int
    format: str
    by_pillow: bool
    occurring: frozenset | None = None


def check_label(path: str | os.PathLike, *, known: LabelValues, contents: bool = True) -> LabelHeader:
    """Checks that a file is an undamaged, lossless picture of label values, and that all of these are known.

    Args:
        known: the values that label images of the data set may contain.
        contents: whether to compare checksums and check every pixel; if False, only the header is read.

    Raises:
        UnusableFileError: if it is lossy, is damaged, has another pixel format, or contains an unknown value.
    """
    data = read_file(path, -1 if contents else NUM_HEADER_BYTES)
    source = data if contents else path
    is_png = data.startswith(PNG_SIGNATURE)
    header, orientation = read_png(data, path, contents) if is_png else _header_of_other(path, source)
    _check_format(path, header, known)
    by_pillow = not (is_png and (header.bit_depth, header.color_type) == (8, GRAY) and orientation not in TURNS)
    if contents:
        values, occurring = _checked_pixels(path, data, header, known, by_pillow)
        return LabelHeader(*values, header.format, by_pillow, occurring)
    size = header[:2]
    if orientation in TURNS:
        with opened(source, path) as image:
            size = load_upright(image).size[::-1]
    return LabelHeader(*size, header.format, by_pillow)


def _header_of_other(path, source):
    """Returns the header that a PNG of the same pixels would have, and the orientation."""
    with opened(source, path) as image:
        if image.format not in LOSSLESS or image.info.get("compression") == "jpeg":
            raise UnusableFileError(
                path,
                "pixel format",
                found=f"is a {image.format}, whose lossy compression blends the values of neighboring pixels",
                expected="a label image as PNG",
                cure="Write it again as PNG from its source, because converting this file would keep its wrong values. "
                "If it is a photo, the folders of images and masks are swapped.",
            )
        bit_depth, color_type = _PNG_FORMATS.get(image.mode, (8, image.mode))
        return PngHeader(image.height, image.width, bit_depth, color_type), orientation_of(image)


def _check_format(path, header, known):
    # Published label images have 8 bits; those of users may have any bit depth.
    depths = (8,) if known.original else (1, 2, 4, 8, 16)
    allowed = {
        "8-bit gray": [(bits, GRAY) for bits in depths] if known.values else [],
        "a palette image": [(bits, PALETTE) for bits in (1, 2, 4, 8)] if known.values and known.palette_images else [],
        "8-bit RGB": [(8, RGB)] if known.colors is not None else [],
    }
    if not any((header.bit_depth, header.color_type) in formats for formats in allowed.values()):
        raise UnusableFileError(
            path,
            "pixel format",
            found=f"is {header.format}",
            expected=f"label values as {', or '.join(name for name, formats in allowed.items() if formats)}",
            cure=_format_cure(header, known),
        )


def _format_cure(header, known):
    if known.original:
        other = known.beside.get((header.bit_depth, header.color_type))
        return f"Restore the original {known.original}." + (f" It looks like {other}." if other else "")
    if header.color_type == RGB and known.colors is None:
        return f"{CURE_OF_COLORS} Or save class numbers as 8-bit gray."
    if header.color_type in (4, 6):
        return "Save it without its alpha channel: `Image.open(path).convert('RGB')`, or 'L' for gray."
    return "Save the class numbers as 8-bit gray: `Image.fromarray(numbers.astype('uint8')).save(path)`."


def _checked_pixels(path, data, header, known, by_pillow):
    """Returns the size of the upright picture, and the values or colors that occur, which must all be known."""
    if header.color_type == RGB:
        with opened(data, path) as image:
            image = load_upright(image).convert("RGB")
            return image.size[::-1], _checked_colors(path, image, known)
    values = stored_values(data, path) if by_pillow else plain_pixels(data, path, is_label=True)
    if values.dtype == np.uint8:
        # Three times as fast as counting in NumPy.
        occurring = frozenset(i for i, count in enumerate(Image.fromarray(values).histogram()) if count)
    else:
        occurring = frozenset(np.unique(values).tolist())
    foreign = sorted(occurring - known.values)
    if foreign:
        # This many unknown values suggest a photograph, because few data sets have as many classes.
        cure = "It looks like a gray picture. " * (len(foreign) > 34) + known.cure
        raise _foreign(path, f"holds the values {_shortened(foreign)}", known.expected, cure)
    return values.shape, occurring


def _checked_colors(path: str | os.PathLike, image: Image.Image, known: LabelValues) -> frozenset:
    # Pillow returns None if there are more colors.
    colors = image.getcolors(256 + len(known.colors))
    if colors is None:
        foreign, found = True, "holds hundreds of colors, as a photograph or an image with smoothed edges does"
    else:
        foreign = sorted({color for _, color in colors} - known.colors)
        found = f"holds the colors {_shortened(foreign)}"
    if not foreign:
        return frozenset(color for _, color in colors)
    expected = f"only the {len(known.colors)} colors of the data set: {_shortened(sorted(known.colors))}"
    raise _foreign(path, found, expected, known.cure)


def _foreign(path, found, expected, cure):
    return UnusableFileError(path, "foreign values", found=found, expected=expected, cure=cure)


def _shortened(values):
    return ", ".join(map(str, values[:8])) + (f" and {len(values) - 8} more" if len(values) > 8 else "")
