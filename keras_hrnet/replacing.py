"""Writes files so that they are complete or absent."""

import contextlib
import functools
import os
import pathlib
import re
import secrets
import time
from collections.abc import Iterator

DAY = 24 * 60 * 60
LONGEST_STEM = 48
"""Characters; most file systems take names of 255 bytes, and a character has up to four of them."""

_PART_NAME = re.compile(r"\..*-part-[0-9a-f]{8}(\.[^.]*)?", re.DOTALL)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Makes a file to write to, and puts it in the place of `path` at the end.

    What was written is on the disk before it gets its name, so `path` is always a complete file: the new one or the
    previous one. The other file has a name that nobody can guess, and is removed whatever goes wrong. Only a process
    that is killed leaves it behind; it is then removed by `remove_parts`, or a day later by the next process that
    writes to the folder.

    Args:
        path: the file to write; its folder is made where it is missing.

    Yields:
        The path of an empty file in the same folder with the same suffix.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean_once(path.parent.absolute())
    part = path.with_name(f".{path.stem[:LONGEST_STEM]}-part-{secrets.token_hex(4)}{path.suffix}")
    part.touch(exist_ok=False)  # Exclusively, which follows no link.
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def remove_parts(folder: str | os.PathLike, *, min_age: float = 0) -> None:
    """Removes what killed processes left half-written in a folder.

    Args:
        folder: one that exists. With a `min_age` of 0, no other process may be writing to it.
        min_age: in seconds; files that were written to since then are kept.
    """
    for name in os.listdir(folder):
        if _PART_NAME.fullmatch(name):
            part = pathlib.Path(folder, name)
            # Another process may be faster, and a file may be another user's.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                if time.time() - part.lstat().st_mtime >= min_age:
                    part.unlink()


@functools.lru_cache(maxsize=256)
def _clean_once(folder: pathlib.Path) -> None:
    # Once, because listing a folder for each of its files takes long where there are many.
    with contextlib.suppress(PermissionError):
        remove_parts(folder, min_age=DAY)
