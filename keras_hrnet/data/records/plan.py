"""Assigns samples to shards before anything is written."""

import os
from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

from keras_hrnet.data.files.pairs import Pair, check_pairs
from keras_hrnet.data.records.manifest import Sample, shard_name
from keras_hrnet.data_sets import LabelValues

SAMPLE_OVERHEAD_BYTES = 1024
"""Maximum overhead of a sample beyond its files and their names: keys, framing, and its lines in two manifests."""

RGB_BYTES = 3
"""Size of a pixel in bytes before it is compressed. The compressed pixels of a label take as much room as its file."""


class PlannedShard(NamedTuple):
    """A planned shard: its name, its files, and their descriptions."""

    name: str
    pairs: tuple[Pair, ...]
    samples: tuple[Sample, ...]

    @property
    def num_bytes(self) -> int:
        """Its maximum size on disk, in bytes."""
        return sum(_num_bytes(sample) for sample in self.samples)


def plan_shards(
    pairs: Sequence[Pair], *, shard_size: int, known: LabelValues, as_pixels: bool = False
) -> list[PlannedShard]:
    """Divides pairs into shards, in their order.

    Args:
        shard_size: maximum size of a shard, in bytes; a larger sample gets its own shard.
        as_pixels: whether pixels are stored instead of files.

    Returns:
        A plan that depends on the names of the files below the folder that all of them share, on their lengths, and on
        the size of the images, but not on the location of that folder.

    Raises:
        TypeError: if the shard size is not an integer.
        ValueError: if there are no pairs, a file cannot be used, or the shard size is not positive.
    """
    if not pairs:
        raise ValueError("Received no pairs to pack. Expected at least one image with its label. Check the folders.")
    if not isinstance(shard_size, Integral):
        raise TypeError(f"Received shard_size={shard_size!r}. Expected an integer, in bytes. Pass one, such as 2**28.")
    if shard_size < 1:
        raise ValueError(f"Received shard_size={shard_size}. Expected at least one byte. Pass more, such as 2**28.")
    samples = _samples_of(pairs, known, as_pixels)
    starts = _starts([_num_bytes(sample) for sample in samples], shard_size)
    stops = [*starts[1:], len(samples)]
    return [
        PlannedShard(shard_name(number, len(starts)), tuple(pairs[start:stop]), tuple(samples[start:stop]))
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]


def _samples_of(pairs, known, as_pixels):
    headers = check_pairs(pairs, known=known, contents=False)
    top = os.path.commonpath([path.absolute().parent for pair in pairs for path in pair])
    return [
        Sample(
            image=pair.image.absolute().relative_to(top).as_posix(),
            label=pair.label.absolute().relative_to(top).as_posix(),
            image_bytes=pair.image.stat().st_size,
            label_bytes=pair.label.stat().st_size,
            height=header.image.height,
            width=header.image.width,
            image_by_pillow=header.image.by_pillow,
            label_by_pillow=header.label.by_pillow,
            as_pixels=as_pixels,
        )
        for pair, header in zip(pairs, headers, strict=True)
    ]


def _num_bytes(sample):
    names = 3 * (len(sample.image.encode()) + len(sample.label.encode()))  # in the sample and in two manifests
    image_bytes = sample.image_bytes
    if sample.as_pixels:
        image_bytes = max(image_bytes, RGB_BYTES * sample.height * sample.width)
    return image_bytes + sample.label_bytes + names + SAMPLE_OVERHEAD_BYTES


def _starts(num_bytes, shard_size):
    """Returns the index of the first sample of each shard."""
    starts, room = [], 0
    for index, needed in enumerate(num_bytes):
        if index == 0 or needed > room:
            starts.append(index)
            room = shard_size
        room -= needed
    return starts
