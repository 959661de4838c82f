"""Reads files, with errors that state which file cannot be used, why, and what to do."""

import os
from pathlib import Path

from keras_hrnet.mistaken import NUM_START_BYTES, mistaken_for
from keras_hrnet.printable import printable

RESTORE = "Restore the file from its source."
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM", b"GIF8", b"RIFF")
"""The first bytes of PNG, JPEG, TIFF, BMP, GIF and WebP files."""


class UnusableFileError(ValueError):
    """A picture or video that cannot be used, with its fault and advice.

    Args:
        kind: the fault in one or two words, by which faults are counted.
        found: description of the fault, to be read after the name of the file.
        expected: description of a correct file.
        cure: advice, as a sentence.
    """

    def __init__(self, path: str | os.PathLike, kind: str, *, found: str, expected: str, cure: str = RESTORE):
        super().__init__(f"{printable(path)} {found}. Expected {expected}. {cure}")
        self.path = Path(path)
        self.kind = kind
        self.found = found
        self.expected = expected
        self.cure = cure


def no_picture(path: str | os.PathLike, source: str | os.PathLike | bytes) -> UnusableFileError:
    """Creates the error for a file that no decoder recognizes, which describes the contents of the file.

    Args:
        source: the path, or the first bytes of the contents.
    """
    start = source[:NUM_START_BYTES] if isinstance(source, bytes) else read_file(source, NUM_START_BYTES)
    if start.startswith(SIGNATURES):
        found = "cannot be decoded (its header is damaged, or it is truncated)"
        return UnusableFileError(path, "damaged", found=found, expected="an undamaged picture file")
    what, cure = mistaken_for(start) or (
        f"not a picture: it begins with {start[:8]!r}",
        "Save it as PNG, or restore it from its source.",
    )
    return UnusableFileError(path, "no picture", found=f"is {what}", expected="a picture file", cure=cure)


def read_file(path: str | os.PathLike, num_bytes: int = -1) -> bytes:
    """Reads the first bytes of a file, or all of them.

    Args:
        num_bytes: largest number of bytes to read; −1 reads the complete file.

    Returns:
        The bytes; never empty.

    Raises:
        UnusableFileError: if the file cannot be read, or is empty.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(num_bytes)
    except OSError as error:
        if os.path.islink(path):
            raise UnusableFileError(
                path,
                "broken link",
                found=f"is a link to {os.readlink(path)}, which cannot be read ({error.strerror})",
                expected="a link to a file that exists",
                cure="Restore that file, or remove the link.",
            ) from error
        raise UnusableFileError(
            path,
            "unreadable",
            found=f"cannot be read ({error.strerror})",
            expected="a file that this user may read",
            cure="Correct its permissions, or restore it from its source.",
        ) from error
    if not data:
        raise UnusableFileError(path, "empty", found="is empty: it has 0 bytes", expected="a picture")
    return data
