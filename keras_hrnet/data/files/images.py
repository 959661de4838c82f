"""Whether an image is one that a network can be trained on: 8-bit RGB, as a PNG or JPEG file."""

import os

from keras_hrnet.data.files.jpeg import JPEG_SIGNATURE, TURNED, JpegHeader, check_jpeg, read_jpeg_header
from keras_hrnet.data.files.png import NUM_HEADER_BYTES, PNG_SIGNATURE, RGB, PngHeader, check_chunks, png_header
from keras_hrnet.data.files.reading import UnusableFileError, read_file

TO_RGB = "Convert it with Pillow: `Image.open(path).convert('RGB').save(path)`"


def check_image(path: str | os.PathLike, *, contents: bool = True) -> PngHeader | JpegHeader:
    """Checks that a file is an undamaged, upright image of 8-bit RGB: a PNG, which is not decompressed, or a JPEG.

    Args:
        contents: whether to read the whole file (the checksums of a PNG, the compressed data of a JPEG), or only its
            header.

    Returns:
        Its `PngHeader` or `JpegHeader`; both begin with height and width, in pixels.

    Raises:
        UnusableFileError: if it is no PNG or JPEG, damaged, or of another pixel format.
    """
    data = read_file(path, -1 if contents else NUM_HEADER_BYTES)
    if data.startswith(JPEG_SIGNATURE):
        return _check_jpeg_image(path, data, contents)
    if not data.startswith(PNG_SIGNATURE):
        raise UnusableFileError(
            path,
            "no picture",
            found=f"is not a PNG or JPEG file: it begins with {data[:8]!r}",
            expected=f"{PNG_SIGNATURE!r} or {JPEG_SIGNATURE!r}",
            cure="Save it as PNG, or restore it from its source.",
        )
    header = png_header(data, path)
    if (header.bit_depth, header.color_type) != (8, RGB):
        raise _wrong_format(path, header.format, _png_cure(header))
    if contents:
        check_chunks(data, path)
    return header


def _check_jpeg_image(path, data, contents):
    header = read_jpeg_header(path)
    if header.mode != "RGB":
        raise _wrong_format(path, header.format, f"{TO_RGB}.")
    if header.orientation in TURNED:
        raise UnusableFileError(
            path,
            "orientation",
            found=f"is turned or mirrored by its Exif data (orientation {header.orientation})",
            expected="pixels stored upright (orientation 1), as its label image would not be turned along",
            cure="Turn the pixels with Pillow: `ImageOps.exif_transpose(Image.open(path)).save(path, quality=95)`, if "
            "the label image is upright; else remove the Exif data.",
        )
    if contents:
        check_jpeg(data, path)
    return header


def _wrong_format(path, found, cure):
    return UnusableFileError(path, "pixel format", found=f"is {found}", expected="an image of 8-bit RGB", cure=cure)


def _png_cure(header):
    if header.bit_depth == 16:
        return "Divide its values by 257 and save them as 8-bit RGB, or restore the 8-bit original."
    if header.color_type in (4, 6):
        return f"{TO_RGB}, which drops the transparency."
    return f"{TO_RGB}, or restore the original."
