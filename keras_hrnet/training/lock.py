"""Locks the folder of a run, so that one process at a time uses it."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

LOCK_FILE = ".lock"


@contextlib.contextmanager
def locked(folder: str | os.PathLike) -> Iterator[None]:
    """Keeps other processes out of a folder that exists.

    The operating system holds the lock, and releases it when the process ends, even if it crashes. The lock file
    remains, but does not mean that the folder is locked. Forked processes do not hold the lock, because a worker may
    outlive a run that was killed.

    Raises:
        BlockingIOError: if another process holds the lock.
    """
    with (pathlib.Path(folder) / LOCK_FILE).open("a+") as file:
        if not _lock(file):
            file.seek(0)
            raise BlockingIOError(
                f"Received run_dir={str(folder)!r}, in which process {file.read().strip() or '?'} trains. Expected a "
                "folder that no other process uses. Wait until that process ends, or pass another folder."
            )
        file.truncate(0)
        with contextlib.suppress(OSError):  # It is only for the message above, and the disk may be full.
            os.write(file.fileno(), str(os.getpid()).encode())
        yield


def _lock(file):
    try:
        import fcntl
    except ImportError:  # Windows
        return _lock_on_windows(file)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _lock_on_windows(file):
    import msvcrt

    # Other processes cannot read a locked byte, so it lies after the process id.
    file.seek(1024)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
