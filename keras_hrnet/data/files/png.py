"""Reads the header of PNG files, and checks that they are complete, without decompressing them."""

import os
import struct
import zlib
from typing import NamedTuple

from keras_hrnet.picture_files.opening import PNG_PIXELS_PER_BYTE, check_num_pixels, opened, orientation_of
from keras_hrnet.picture_files.reading import UnusableFileError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
NUM_HEADER_BYTES = 26
COLOR_TYPES = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGBA"}
"""PNG specification, third edition, table 11.1."""
GRAY, RGB, PALETTE = 0, 2, 3
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
TURNING = {b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp"}
"""Chunks that may store an orientation: the Exif chunk, and text chunks with these keywords for Exif or XMP data."""
NUM_KEYWORD_BYTES = 24


class PngHeader(NamedTuple):
    """The contents of the first 26 bytes of a PNG file; `bit_depth` is in bits per channel."""

    height: int
    width: int
    bit_depth: int
    color_type: int

    @property
    def format(self) -> str:
        """The pixel format in words, such as "8-bit RGB"."""
        return f"{self.bit_depth}-bit {COLOR_TYPES.get(self.color_type, f'color type {self.color_type}')}"


def png_header(data: bytes, path: str | os.PathLike) -> PngHeader:
    """Reads the size and the pixel format of a PNG file.

    Args:
        data: at least the first 26 bytes of the file.

    Raises:
        UnusableFileError: if the data does not begin as a PNG file does.
    """
    if len(data) < NUM_HEADER_BYTES or not data.startswith(PNG_SIGNATURE) or data[12:16] != b"IHDR":
        raise UnusableFileError(
            path,
            "no picture",
            found=f"is not a PNG file: it begins with {data[:8]!r}",
            expected=f"{PNG_SIGNATURE!r} and a header",
        )
    width, height, bit_depth, color_type = struct.unpack(">IIBB", data[16:26])
    return PngHeader(height, width, bit_depth, color_type)


def read_png(data: bytes, path: str | os.PathLike, contents: bool) -> tuple[PngHeader, int]:
    """Reads the header of a PNG file, and the orientation in its Exif or XMP data; 1 is upright.

    Args:
        data: the complete file, or its first 26 bytes if `contents` is False.
        contents: whether to compare the checksums of its chunks.

    Raises:
        UnusableFileError: if it does not begin as a PNG file does, is larger than the limit, or is damaged.
    """
    header = png_header(data, path)
    num_bytes = len(data) if contents else os.path.getsize(path)
    check_num_pixels(path, header.height, header.width, num_bytes, PNG_PIXELS_PER_BYTE)
    if not (check_chunks(data, path) if contents else chunks_of(path)) & TURNING:
        return header, 1
    with opened(data if contents else path, path, ["PNG"]) as image:
        return header, orientation_of(image)


def chunks_of(path: str | os.PathLike) -> set[bytes]:
    """Lists the chunks of a PNG file without reading their contents.

    Returns:
        The type of each chunk, or the keyword of a text chunk.
    """
    kinds, start, kind = set(), len(PNG_SIGNATURE), b""
    # Unbuffered: after each seek, a buffer would read another 8 KiB.
    with open(path, "rb", buffering=0) as file:
        while kind != b"IEND":
            file.seek(start)
            head = file.read(8 + NUM_KEYWORD_BYTES)
            if len(head) < 8:
                break
            kind = _kind(head)
            kinds.add(kind)
            start += 12 + int.from_bytes(head[:4])
    return kinds


def check_chunks(data: bytes, path: str | os.PathLike) -> set[bytes]:
    """Checks that a PNG file is complete, and that the checksum of each chunk is correct.

    Args:
        data: the complete file.

    Returns:
        The same as `chunks_of`.

    Raises:
        UnusableFileError: if it is truncated, or a checksum is wrong.
    """
    # Length, type, data and checksum follow one another until the chunk IEND (PNG specification, section 5.3).
    data = memoryview(data)
    start, kind, kinds = len(PNG_SIGNATURE), b"", set()
    while kind != b"IEND":
        stop = start + 12 + int.from_bytes(data[start : start + 4])
        kind = bytes(data[start + 4 : start + 8])
        if stop > len(data):
            raise UnusableFileError(
                path,
                "cut short",
                found=f"ends after {len(data)} bytes, in the middle of its data",
                expected="a complete PNG file, up to its chunk IEND",
            )
        if zlib.crc32(data[start + 4 : stop - 4]) != int.from_bytes(data[stop - 4 : stop]):
            raise UnusableFileError(
                path,
                "damaged",
                found=f"is damaged: the chunk {kind.decode('latin-1')!r} at byte {start} does not have the checksum "
                f"that it states",
                expected="an undamaged PNG file",
            )
        if kind == b"IHDR" and start > len(PNG_SIGNATURE):
            raise UnusableFileError(
                path, "damaged", found="is damaged: it has two headers", expected="an undamaged PNG file"
            )
        kinds.add(_kind(bytes(data[start : start + 8 + NUM_KEYWORD_BYTES])))
        start = stop
    if b"IDAT" not in kinds:
        raise UnusableFileError(
            path, "damaged", found="is damaged: it ends before any pixel", expected="an undamaged PNG file"
        )
    return kinds


def _kind(head):
    kind = head[4:8]
    return head[8:].partition(b"\0")[0] if kind in TEXTS else kind
