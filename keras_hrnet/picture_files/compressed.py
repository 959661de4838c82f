"""Pixels as NumPy files that are compressed by Zstandard, which are read many times faster than pictures."""

import io
import math
import os
import tokenize

import numpy as np

from keras_hrnet.extras import require_packages
from keras_hrnet.picture_files.opening import check_num_pixels
from keras_hrnet.picture_files.reading import UnusableFileError

ZSTD_SIGNATURE = b"\x28\xb5\x2f\xfd"
"""The first bytes of a Zstandard frame (RFC 8878, section 3.1.1)."""

LEVEL = -1
"""Zstandard's level. Levels below 0 store bytes that do not repeat as they are. At level 1, twelve drawn streets take
62 MB instead of 76 MB, and a pair is decoded in 10.0 ms instead of 6.6 ms, in one run of `keras-hrnet benchmark data`
(one AMD EPYC core with AVX-512; examples/data.md)."""

MOST_HEADER_BYTES = 1024
"""Largest size of a NumPy file's header; `numpy.save` writes 128 bytes for an array without fields."""


def require_zstandard() -> None:
    """Raises an `ImportError` if the package that compresses and decompresses is missing."""
    require_packages(["zstandard"], "records of decoded pixels", "pack")


def compressed(values: np.ndarray) -> bytes:
    """Compresses an array of pixels.

    Args:
        values: `(height, width)` or `(height, width, channels)`, numbers.

    Returns:
        A Zstandard frame that holds a NumPy file.
    """
    import zstandard

    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(values), allow_pickle=False)
    return zstandard.ZstdCompressor(level=LEVEL).compress(file.getbuffer())


def is_compressed(content: bytes) -> bool:
    """Returns whether bytes begin as `compressed` writes them."""
    return content.startswith(ZSTD_SIGNATURE)


def decompressed(content: bytes, path: str | os.PathLike) -> np.ndarray:
    """Decompresses an array of pixels.

    Args:
        content: the bytes that `compressed` returned.
        path: the path of the picture that they stand for, for errors.

    Returns:
        The array. TensorFlow uses its memory without a copy.

    Raises:
        UnusableFileError: if they are damaged, or declare more pixels than the limit.
    """
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(content) as stream:
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError("it has another version of NumPy's format")
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=MOST_HEADER_BYTES)
            if len(shape) not in (2, 3) or is_fortran or dtype.kind not in "uif" or min(shape) < 1:
                raise ValueError(f"it holds an array of the shape {shape} and the type {dtype}")
            num_bytes = math.prod(shape) * dtype.itemsize
            if stream.tell() + num_bytes != zstandard.frame_content_size(content):
                raise ValueError(f"it does not declare the bytes of the shape {shape} and the type {dtype}")
            check_num_pixels(path, *shape[:2])
            values = _aligned(num_bytes)
            if stream.readinto(values) != num_bytes:
                raise ValueError("it holds fewer bytes than it declares")
        return values.view(dtype).reshape(shape)
    except UnusableFileError:
        raise
    except (
        *(ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError, tokenize.TokenError),
        zstandard.ZstdError,
    ) as error:
        raise UnusableFileError(
            path,
            "damaged",
            found=f"cannot be decompressed ({error})",
            expected="pixels that `keras-hrnet data pack --pixels` stored",
            cure="Pack the data set again.",
        ) from error


def _aligned(num_bytes):
    """Makes an array of bytes that TensorFlow's `numpy_function` does not copy: at a multiple of 64 in memory."""
    whole = np.empty(num_bytes + 63, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + num_bytes]
