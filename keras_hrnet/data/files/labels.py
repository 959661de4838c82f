"""Whether a label image holds what its data set says: known values, or known colours."""

import io
import itertools
import os

from PIL import Image

from keras_hrnet.data.files.jpeg import JPEG_SIGNATURE
from keras_hrnet.data.files.png import GREY, NUM_HEADER_BYTES, PALETTE, RGB, PngHeader, check_chunks, png_header
from keras_hrnet.data.files.reading import RESTORE, UnusableFileError, read_file
from keras_hrnet.data_sets import LabelValues


def check_label(path: str | os.PathLike, *, known: LabelValues, contents: bool = True) -> PngHeader:
    """Checks that a file is an undamaged PNG of label values, and that all of them are known.

    Args:
        known: what the label images of the data set may hold.
        contents: whether to compare checksums and to look at every pixel, or only to read the header.

    Raises:
        UnusableFileError: if it is not a PNG, damaged, of another pixel format, or holds a foreign value.
    """
    data = read_file(path, -1 if contents else NUM_HEADER_BYTES)
    if data.startswith(JPEG_SIGNATURE):
        raise UnusableFileError(
            path,
            "pixel format",
            found="is a JPEG, whose lossy compression blends the values of neighbouring pixels",
            expected="a label image as PNG",
            cure="Make it anew as PNG from its source: converting this file would keep its wrong values.",
        )
    header = png_header(data, path)
    _check_format(path, header, known)
    if contents:
        check_chunks(data, path)
        _check_pixels(path, data, header, known)
    return header


def _check_format(path, header, known):
    allowed = {
        "8-bit grey": [(8, GREY)] if known.values else [],
        "a palette image": [(bits, PALETTE) for bits in (1, 2, 4, 8)] if known.values and known.palette_images else [],
        "8-bit RGB": [(8, RGB)] if known.colors is not None else [],
    }
    if (header.bit_depth, header.color_type) not in itertools.chain(*allowed.values()):
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
        return "Pass the colours of the classes (`palette`), or save class numbers as 8-bit grey."
    if header.color_type in (4, 6):
        return "Save it without its alpha channel: `Image.open(path).convert('RGB')`, or 'L' where it is grey."
    return "Save the class numbers as 8-bit grey: `Image.fromarray(numbers.astype('uint8')).save(path)`."


def _check_pixels(path, data, header, known):
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # What Pillow raises for damaged data.
        raise UnusableFileError(
            path, "damaged", found=f"cannot be decoded ({error})", expected="an undamaged PNG file", cure=RESTORE
        ) from error
    if header.color_type == RGB:
        _check_colors(path, image, known)
    else:
        _check_values(path, image, known)


def _check_values(path, image, known):
    foreign = sorted(set(image.tobytes().translate(None, bytes(known.values))))
    if foreign:
        # Few data sets have as many classes as a photograph has shades.
        cure = "It looks like a grey picture. " * (len(foreign) > 34) + known.cure
        raise _foreign(path, f"holds the values {_shortened(foreign)}", known.expected, cure)


def _check_colors(path, image, known):
    # More colours than that, and Pillow returns None.
    colors = image.getcolors(256 + len(known.colors))
    if colors is None:
        found = "holds hundreds of colours, as a photograph or an image with smoothed edges does"
    else:
        foreign = sorted({color for _, color in colors} - known.colors)
        if not foreign:
            return
        found = f"holds the colours {_shortened(foreign)}"
    expected = f"only the {len(known.colors)} colours of the data set: {_shortened(sorted(known.colors))}"
    raise _foreign(path, found, expected, known.cure)


def _foreign(path, found, expected, cure):
    return UnusableFileError(path, "foreign values", found=found, expected=expected, cure=cure)


def _shortened(values):
    return ", ".join(map(str, values[:8])) + (f" and {len(values) - 8} more" if len(values) > 8 else "")
