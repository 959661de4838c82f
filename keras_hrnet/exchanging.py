"""Exchanges two folders on the disk in one step, which Python does not offer."""

import ctypes
import errno
import os
import pathlib
import sys

_HERE = -100
"""Linux: `AT_FDCWD`."""

_EXCHANGE = 2
"""Linux: `RENAME_EXCHANGE`; macOS: `RENAME_SWAP`."""


def exchange(first: pathlib.Path, second: pathlib.Path) -> None:
    """Exchanges two existing folders of one disk.

    On Linux and macOS, if the file system supports it, both paths have a folder at every moment. Elsewhere, three
    renames are made instead; if the process is killed between them, `second` is missing.

    Raises:
        OSError: if they cannot be exchanged; both are then unchanged.
    """
    try:
        _exchange_at_once(os.fsencode(first), os.fsencode(second))
    except (AttributeError, NotImplementedError):
        aside = first.with_name(f"{first.name}-aside")
        os.replace(second, aside)
        try:
            os.replace(first, second)
        except OSError:
            os.replace(aside, second)
            raise
        os.replace(aside, first)


def _exchange_at_once(first, second):
    if os.name != "posix":
        raise NotImplementedError
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        failed = library.renamex_np(first, second, ctypes.c_uint(_EXCHANGE))
    else:
        failed = library.renameat2(_HERE, first, _HERE, second, ctypes.c_uint(_EXCHANGE))
    if failed:
        code = ctypes.get_errno()
        if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM):
            raise NotImplementedError
        raise OSError(code, os.strerror(code), os.fsdecode(first), None, os.fsdecode(second))
