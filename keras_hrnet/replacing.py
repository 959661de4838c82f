"""Files that are there whole or not at all."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """Gives a name to write to, and puts what was written in the place of `path` at the end.

    A process that is killed in between leaves `path` as it was, and the other file, which the next one overwrites. What
    was written is on the disk before it has the name: a machine that stops leaves no half file either.

    Args:
        path: the file to write; its folder is made.

    Yields:
        A `pathlib.Path` in the same folder with the same suffix.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}-part{path.suffix}")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
