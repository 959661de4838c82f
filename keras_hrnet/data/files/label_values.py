"""Whether a label image holds what its data set says: known values, or known colours."""

import dataclasses
import io

from PIL import Image

from keras_hrnet.data.files.jpeg import JPEG_SIGNATURE
from keras_hrnet.data.files.png import GREY, NUM_HEADER_BYTES, PALETTE, RGB, check_chunks, png_header
from keras_hrnet.data.files.reading import RESTORE, UnusableFileError, read_file
from keras_hrnet.data_sets.cityscapes import TRAIN_ID_OF_ID, UNKNOWN_ID


@dataclasses.dataclass(frozen=True)
class LabelValues:
    """What the label images of a data set may hold.

    Args:
        values: what a pixel of a grey image, or of a palette image (its index), may be: integers in [0, 255].
        colors: what a pixel of an RGB image may be: triples of red, green and blue in [0, 255]. None: no RGB images.
        palette_images: whether palette images are allowed.
        expected: the values in words.
        cure: what to do about a file that does not hold them, a sentence.
    """

    values: frozenset[int]
    colors: frozenset[tuple[int, int, int]] | None = None
    palette_images: bool = True
    expected: str = ""
    cure: str = "Give these pixels an expected value, or list what they hold among the values of the data set."

    def __post_init__(self):
        object.__setattr__(self, "values", frozenset(self.values))
        if self.colors is not None:
            object.__setattr__(self, "colors", frozenset(map(tuple, self.colors)))
        if not self.expected:
            object.__setattr__(self, "expected", f"only {in_words(self.values)}")


CITYSCAPES_IDS = LabelValues(
    values=frozenset(value for value in range(256) if TRAIN_ID_OF_ID[value] != UNKNOWN_ID),
    palette_images=False,
    expected="the ids of the Cityscapes table: 0 to 33, and 255 for −1",
    cure="Restore the original *_labelIds.png, or give these pixels an id of the table (0 is ignored).",
)
"""The values of `*_gtFine_labelIds.png` and `*_gtCoarse_labelIds.png`."""


def check_label(path, *, known=CITYSCAPES_IDS, contents=True):
    """Checks that a file is an undamaged PNG of label values, and that all of them are known.

    Args:
        path: the file.
        known: the `LabelValues` of the data set.
        contents: whether to compare checksums and to look at every pixel, or only to read the header.

    Returns:
        Its `PngHeader`.

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


def in_words(values):
    """Writes integers as runs, such as "0 to 18 and 255".

    Args:
        values: integers.

    Returns:
        A string; runs of three and more are shortened.
    """
    runs = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    words = []
    for run in runs:
        words += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "none"


def _check_format(path, header, known):
    formats = [(8, GREY)]
    if known.palette_images:
        formats += [(bits, PALETTE) for bits in (1, 2, 4, 8)]
    if known.colors is not None:
        formats.append((8, RGB))
    if (header.bit_depth, header.color_type) not in formats:
        allowed = "8-bit grey" + ", or a palette image" * known.palette_images
        raise UnusableFileError(
            path,
            "pixel format",
            found=f"is {header.format}",
            expected=f"label values as {allowed}{', or 8-bit RGB' * (known.colors is not None)}",
            cure=_format_cure(header, known),
        )


def _format_cure(header, known):
    if known is CITYSCAPES_IDS:
        # What else lies in the same folder of Cityscapes.
        looks = {(16, 0): " It looks like *_instanceIds.png.", (8, 6): " It looks like *_color.png."}
        return "Restore the original *_labelIds.png." + looks.get((header.bit_depth, header.color_type), "")
    if header.color_type == RGB and known.colors is None:
        return "Pass the colours of the classes (`palette`), or save class numbers as 8-bit grey."
    if header.color_type in (4, 6):
        return "Save it without its alpha channel: `Image.open(path).convert('RGB')`, or 'L' where it is grey."
    return "Save the class numbers as 8-bit grey: `Image.fromarray(numbers.astype('uint8')).save(path)`."


def _check_pixels(path, data, header, known):
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()
    except (
        OSError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:  # what Pillow raises for what it cannot inflate
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
