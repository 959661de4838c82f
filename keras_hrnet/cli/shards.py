"""Selects the photos that a process segments: its shard, without the photos that already have a result."""

import os
import pathlib
import re
import zlib
from collections.abc import Sequence

Targets = dict[pathlib.Path, pathlib.Path]
"""The file for the result of each photo."""


def parse_shard(text: str | None) -> tuple[int, int]:
    """Parses "I/N", the I-th of N shards; None means a single shard.

    Returns:
        The number of the shard, from 1, and the number of shards.

    Raises:
        ValueError: if the text has another format, or I is not between 1 and N.
    """
    if text is None:
        return 1, 1
    found = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"Received --shard {text!r}. Expected I/N, from 1/N to N/N. Pass 1/4 for the first of four.")
    return int(found[1]), int(found[2])


def in_shard(targets: Targets, folders: Sequence[pathlib.Path], shard: tuple[int, int]) -> Targets:
    """Returns the photos of one shard.

    A checksum of its name determines the shard of a photo. Shards are therefore disjoint and complete even if photos
    are added before another shard starts, or if machines mount the folder at different paths.

    Args:
        targets: all photos.
        folders: the folders in which the photos were found; names are relative to them.
        shard: as `parse_shard` returns it.
    """
    number, count = shard
    return {photo: target for photo, target in targets.items() if _checksum(photo, folders) % count == number - 1}


def without_written(targets: Targets) -> Targets:
    """Returns the photos that have no result yet, or were replaced since; a result that exists is complete."""
    return {photo: target for photo, target in targets.items() if not _is_current(photo, target)}


def keep_current(photo: pathlib.Path, target: pathlib.Path) -> None:
    """Makes a new result as recent as its photo, whose time may lie in the future, as that of a wrong camera clock."""
    time = photo.stat().st_mtime_ns
    if target.stat().st_mtime_ns < time:
        os.utime(target, ns=(time, time))


def _is_current(photo, target):
    try:
        return target.stat().st_mtime_ns >= photo.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _checksum(photo, folders):
    name = next((photo.relative_to(folder) for folder in folders if photo.is_relative_to(folder)), photo.name)
    # A name may contain bytes that are not text.
    return zlib.crc32(pathlib.PurePath(name).as_posix().encode(errors="surrogateescape"))
