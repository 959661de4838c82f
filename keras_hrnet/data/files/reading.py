"""Reads files, and says of one that cannot be used which it is, why, and what to do."""

import os
from pathlib import Path

RESTORE = "Restore the file from its source."


class UnusableFileError(ValueError):
    """A file that training cannot use.

    Args:
        kind: the fault in a word or two, by which faults are counted.
        found: what the file is or does, to be read after its name.
        expected: what it should be.
        cure: what to do, a sentence.
    """

    def __init__(self, path: str | os.PathLike, kind: str, *, found: str, expected: str, cure: str = RESTORE):
        super().__init__(f"{path} {found}. Expected {expected}. {cure}")
        self.path = Path(path)
        self.kind = kind
        self.found = found
        self.expected = expected
        self.cure = cure


def read_file(path: str | os.PathLike, num_bytes: int = -1) -> bytes:
    """Reads the first bytes of a file, or all of them.

    Args:
        num_bytes: how many to read at most; −1 reads the whole file.

    Returns:
        The bytes, at least one.

    Raises:
        UnusableFileError: if the file cannot be read, or is empty.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(num_bytes)
    except OSError as error:
        raise UnusableFileError(
            path,
            "unreadable",
            found=f"cannot be read ({error.strerror})",
            expected="a file that this user may read",
            cure="Mend its permissions, or restore it from its source.",
        ) from error
    if not data:
        raise UnusableFileError(path, "empty", found="is empty: it has 0 bytes", expected="a picture")
    return data
