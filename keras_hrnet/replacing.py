"""Writes files and folders so that they are complete or absent."""

import contextlib
import errno
import functools
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator

from keras_hrnet.exchanging import exchange

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
    process leaves it behind; the next process that writes to the folder removes it (see `remove_parts`).

    Args:
        path: the file to write; its folder is created if it is missing.

    Yields:
        The path of an empty file in the same folder with the same suffix.

    Raises:
        OSError: if the file cannot be written, as the subclass that the system reports, such as `PermissionError`; its
            message names the file, and states the number of free bytes if the disk is full.
    """
    path = pathlib.Path(path)
    with _part(path, path.suffix, lambda part: part.touch(exist_ok=False)) as part:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        put_in_place(part, path)


@contextlib.contextmanager
def unfinished_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Creates a folder next to `path` for what will become `path`, and removes it at the end.

    Move its finished contents out of it with `put_in_place`.

    Args:
        path: the file or folder to write; its folder is created if it is missing.

    Yields:
        The path of an empty folder.

    Raises:
        OSError: as `replacing`.
    """
    with _part(pathlib.Path(path), "", lambda part: part.mkdir()) as part:
        yield part


def put_in_place(new: pathlib.Path, path: pathlib.Path) -> None:
    """Moves a new file or folder to its final path. An earlier folder takes the place of the new one.

    Raises:
        OSError: as `replacing`; `path` is then unchanged.
    """
    try:
        if path.is_dir() and new.is_dir():
            exchange(new, path)
        else:
            os.replace(new, path)
    except OSError as error:
        raise _unwritable(path, error) from error


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
        _OutOfRoomError,
        code,
        f"{str(path)!r} cannot be written ({os.strerror(code)}{free}). Expected enough space. Free some space, or "
        "write to another disk; an earlier file of this name is unchanged.",
    )


class _OutOfRoomError(OSError):
    """The error of `out_of_room`, so that it is not reported twice."""


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


@contextlib.contextmanager
def _part(path: pathlib.Path, suffix: str, create: Callable[[pathlib.Path], None]) -> Iterator[pathlib.Path]:
    """Creates an unfinished file or folder, locked as long as it exists, and removes what is left of it at the end."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clean_once(path.parent.absolute())
        part, lock = _create_locked(path, suffix, create)
    except FileExistsError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield part
    except _OutOfRoomError:
        raise
    except Exception as error:
        if not is_out_of_room(error):
            raise
        raise out_of_room(path, error) from error
    finally:
        _remove(part)
        if lock is not None:
            os.close(lock)


def _create_locked(path, suffix, create):
    while True:
        part = path.with_name(f".{path.stem[:LONGEST_STEM]}-part-{secrets.token_hex(4)}{suffix}")
        create(part)  # Exclusively: links are not followed.
        # Another process may just be removing it, because it was not locked yet.
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            lock = _lock(part)
            if os.path.lexists(part):
                return part, lock
            if lock is not None:
                os.close(lock)


def _lock(part):
    """Locks an unfinished file or folder until the descriptor is closed, or the process ends for any reason.

    Returns:
        The descriptor; None where the system or the disk has no locks.

    Raises:
        BlockingIOError: if another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    # Disks on a network lock only what is open for writing, which a folder cannot be.
    descriptor = os.open(part, (os.O_RDONLY if part.is_dir() else os.O_RDWR) | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # Not `lockf`, whose lock ends when any descriptor of the file is closed.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def remove_parts(folder: str | os.PathLike, *, min_age: float = DAY) -> None:
    """Removes unfinished files and folders that killed processes left in a folder.

    The processes that still write are told from those that were killed by their locks, or where there are no locks, by
    the age of what they write.

    Args:
        folder: an existing folder.
        min_age: seconds since the last change of what has no lock, for it to be removed. With 0, no other process may
            be writing to the folder.
    """
    for name in os.listdir(folder):
        if not _PART_NAME.fullmatch(name):
            continue
        part = pathlib.Path(folder, name)
        # It may be in use, be gone by now, or belong to another user.
        with contextlib.suppress(BlockingIOError, FileNotFoundError, PermissionError):
            lock = _lock_of_any(part)
            try:
                if lock is not None or time.time() - part.lstat().st_mtime >= min_age:
                    _remove(part)
            finally:
                if lock is not None:
                    os.close(lock)


def _lock_of_any(part):
    try:
        return _lock(part)
    except OSError as error:
        if error.errno == errno.ELOOP:  # A link, which this package has not made.
            return None
        raise


def _remove(part):
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


@functools.lru_cache(maxsize=256)
def _clean_once(folder: pathlib.Path) -> None:
    # Once for each folder, because listing a folder for each of its files takes long if there are many.
    with contextlib.suppress(PermissionError):
        remove_parts(folder)
