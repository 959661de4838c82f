"""Opens picture files of any format that Pillow supports, up to a limit of pixels, and loads them upright."""

import contextlib
import io
import math
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence

from PIL import Image

from keras_hrnet.picture_files.reading import UnusableFileError, no_picture

MAX_PIXELS = 2**29
"""Largest number of pixels of a picture, unless `LIMIT_VARIABLE` sets another limit: 1.6 GB in RGB."""

LIMIT_VARIABLE = "KERAS_HRNET_MAX_PIXELS"
"""The environment variable that sets another limit. Pillow's own limit, `PIL.Image.MAX_IMAGE_PIXELS`, is not used."""

PNG_PIXELS_PER_BYTE = 8 * 1032
"""Upper bound for a PNG file: a pixel has at least one bit, and zlib compresses to at least 1/1032 (its technical
details, "Maximum Compression Factor")."""

LOSSY_WEBP_PIXELS_PER_BYTE = 1024
"""Upper bound for a lossy WebP file: a block of 256 pixels takes more than two bits, for its two modes, whose
probabilities are fixed (RFC 6386, section 11.2)."""

JPEG_PIXELS_PER_BYTE = 256
"""Upper bound for a JPEG file that is not progressive: a block of 64 pixels takes at least two bits, one code for its
mean and one for its end (ITU T.81, section F.1.2)."""

RAW_PIXELS_PER_BYTE = 8
"""Upper bound for a file that is not compressed: a pixel has at least one bit."""

ORIENTATION_TAG = 0x0112
"""Exif 2.32, table 4: 1 is upright; 2 to 8 are rotated or mirrored."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that makes a picture of each other orientation upright."""

# Exceptions that Pillow's decoders raise for damaged files.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    UserWarning,  # Raised for damaged Exif data if warnings are errors.
)
_PILLOW_LIMIT = threading.Lock()


def max_pixels() -> int:
    """Returns the current limit of pixels.

    Raises:
        ValueError: if the environment variable is not a positive integer.
    """
    text = os.environ.get(LIMIT_VARIABLE, str(MAX_PIXELS))
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(
            f"Received {LIMIT_VARIABLE}={text!r}. Expected the number of pixels of the largest picture to read. Set it "
            f"to a number such as {MAX_PIXELS}."
        )
    return int(text)


def check_num_pixels(
    path: str | os.PathLike, height: int, width: int, num_bytes: int = 0, pixels_per_byte: float = math.inf
) -> None:
    """Refuses a picture with more pixels than the limit, or than fit into its file, before memory is allocated for it.

    Args:
        num_bytes: the size of the file, whose header may be damaged.
        pixels_per_byte: the largest number of pixels in a byte of such a file; infinity if it is not known.

    Raises:
        UnusableFileError: if the picture has more pixels, or if the header is damaged.
    """
    if pixels_per_byte < math.inf and height * width > pixels_per_byte * num_bytes:
        raise UnusableFileError(
            path,
            "damaged",
            found=f"states a size of {height}x{width} (height x width) pixels, and has {num_bytes:,} bytes",
            expected=f"an undamaged file, which holds at most {pixels_per_byte:,} pixels per byte",
        )
    if height * width > max_pixels():
        raise UnusableFileError(
            path,
            "too large",
            found=f"has {height}x{width} (height x width) = {height * width:,} pixels, or is damaged",
            expected=f"at most {max_pixels():,} pixels",
            cure=f"If there is enough memory, raise the limit: set the environment variable {LIMIT_VARIABLE} to "
            f"{height * width}.",
        )


@contextlib.contextmanager
def opened(
    source: str | os.PathLike | bytes, path: str | os.PathLike, formats: Sequence[str] | None = None
) -> Iterator[Image.Image]:
    """Opens a picture, and converts errors that Pillow raises while it is read to ones that name the file.

    Args:
        source: the path or the complete contents of the file.
        path: the path of the file, for errors.
        formats: the expected formats, by their names in Pillow; None for all.

    Yields:
        The first picture of the file; `load_upright` returns its pixels.

    Raises:
        UnusableFileError: if the file is not a picture, is damaged, or is larger than the limit.
    """
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with _without_pillows_limit():
            image = Image.open(file, formats=formats)
        with image:
            num_bytes = len(source) if isinstance(source, bytes) else os.path.getsize(source)
            check_num_pixels(path, image.height, image.width, num_bytes, _pixels_per_byte(image, source))
            yield image
    except UnusableFileError:
        raise
    except Image.UnidentifiedImageError as error:
        raise no_picture(path, source) from error
    except DECODER_ERRORS as error:
        raise UnusableFileError(
            path,
            "cut short" if "truncated" in str(error).lower() else "damaged",
            found=f"cannot be decoded ({str(error) or type(error).__name__})",
            expected="an undamaged picture file",
        ) from error


def _pixels_per_byte(image, source):
    """Returns how many pixels a byte of the file can hold at most; infinity if that is not known."""
    if image.format == "PNG":
        return PNG_PIXELS_PER_BYTE
    if image.format == "WEBP" and _start_of(source).endswith(b"VP8 "):
        return LOSSY_WEBP_PIXELS_PER_BYTE
    if image.format == "JPEG" and not image.info.get("progressive"):
        return JPEG_PIXELS_PER_BYTE
    if (image.format, image.info.get("compression")) in (("TIFF", "raw"), ("BMP", 0)):
        return RAW_PIXELS_PER_BYTE
    return math.inf


def _start_of(source):
    """Returns the first 16 bytes of a file: of a WebP file, up to the name of its first chunk."""
    if isinstance(source, bytes):
        return source[:16]
    with open(source, "rb") as file:
        return file.read(16)


def load_upright(image: Image.Image) -> Image.Image:
    """Loads the pixels of an opened picture, rotated upright by the orientation in its Exif or XMP data."""
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
        with _without_pillows_limit():
            image.load()
    else:
        image.load()
    # Pillow has already rotated TIFF files, and then reports the orientation 1.
    turn = TURNS.get(orientation_of(image))
    return image if turn is None else image.transpose(turn)


def orientation_of(image: Image.Image) -> int:
    """Returns the orientation of an opened picture from its Exif or XMP data; 1 if it cannot be read."""
    try:
        return image.getexif().get(ORIENTATION_TAG, 1)
    except DECODER_ERRORS:
        return 1


@contextlib.contextmanager
def _without_pillows_limit():
    # Pillow's limit applies to the whole process, and no argument overrides it.
    with _PILLOW_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
