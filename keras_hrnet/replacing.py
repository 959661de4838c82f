"""Writes files so that they are complete or absent."""

import contextlib
import errno
import functools
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator

DAY = 24 * 60 * 60
LONGEST_STEM = 48
"""In characters; most file systems support names of 255 bytes, and a character has up to four bytes."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, an exhausted quota, and a file that exceeds the limit of its file system or process."""

_PART_NAME = re.compile(r"\..*-part-[0-9a-f]{8}(\.[^.]*)?", re.DOTALL)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Creates a file to write to, and renames it to `path` at the end.

    The contents are written to disk before the file is renamed, so `path` is always a complete file: the new one or the
    previous one. The temporary file has an unpredictable name, and is removed after every failure. Only a killed
    process leaves it behind; it is then removed by `remove_parts`, or a day later by the next process that writes to
    the folder.

    Args:
        path: the file to write; its folder is created if it is missing.

    Yields:
        The path of an empty file in the same folder with the same suffix.

    Raises:
        OSError: if the file cannot be written, as the subclass that the system reports, such as `PermissionError`; its
            message names the file, and states the number of free bytes if the disk is full.
    """
    path = pathlib.Path(path)
    try:
        part = _new_part(path)
    except FileExistsError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        _move(part, path)
    except Exception as error:
        if not is_out_of_room(error):
            raise
        raise out_of_room(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def is_out_of_room(error: Exception) -> bool:
    """Whether an error states that the disk is full, or that a file has reached its largest size."""
    # HDF5 and TensorFlow raise their own errors, which contain the message of the system.
    return getattr(error, "errno", None) in NO_ROOM or any(os.strerror(code) in str(error) for code in NO_ROOM)


def out_of_room(path: str | os.PathLike, error: Exception) -> OSError:
    """Creates the error for a file for which the disk does not have enough space.

    Args:
        path: the file.
        error: the error that was raised when the file was written.
    """
    code = next((code for code in NO_ROOM if os.strerror(code) in str(error)), errno.ENOSPC)
    code = getattr(error, "errno", None) or code
    free = ""
    with contextlib.suppress(OSError):
        folder = pathlib.Path(path).absolute().parent
        free = f"; {shutil.disk_usage(folder).free:,} bytes are free in {str(folder)!r}"
    return _os_error(
        OSError,
        code,
        f"{str(path)!r} cannot be written ({os.strerror(code)}{free}). Expected enough space. Free some space, or "
        "write to another disk; an earlier file of this name is unchanged.",
    )


def _new_part(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean_once(path.parent.absolute())
    part = path.with_name(f".{path.stem[:LONGEST_STEM]}-part-{secrets.token_hex(4)}{path.suffix}")
    part.touch(exist_ok=False)  # Exclusive creation does not follow links.
    return part


def _move(part, path):
    try:
        os.replace(part, path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path, error):
    if is_out_of_room(error):
        return out_of_room(path, error)
    return _os_error(
        type(error),
        error.errno,
        f"{str(path)!r} cannot be written ({error.strerror or error}). Expected a file name and a folder that this "
        "user may write to. Choose another path, or correct the permissions of the folder.",
    )


def _os_error(kind, code, message):
    # If its number were an argument, the message would begin with "[Errno 28]".
    error = kind(message)
    error.errno = code
    return error


def remove_parts(folder: str | os.PathLike, *, min_age: float = 0) -> None:
    """Removes unfinished files that killed processes left in a folder.

    Args:
        folder: an existing folder. With a `min_age` of 0, no other process may be writing to it.
        min_age: age in seconds; files that were written to more recently are kept.
    """
    for name in os.listdir(folder):
        if _PART_NAME.fullmatch(name):
            part = pathlib.Path(folder, name)
            # Another process may have removed the file, or it may belong to another user.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                if time.time() - part.lstat().st_mtime >= min_age:
                    part.unlink()


@functools.lru_cache(maxsize=256)
def _clean_once(folder: pathlib.Path) -> None:
    # Once for each folder, because listing a folder for each of its files takes long if there are many.
    with contextlib.suppress(PermissionError):
        remove_parts(folder, min_age=DAY)
