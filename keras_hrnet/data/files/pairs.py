"""Images and their label images: whether both hold what training needs, and fit together."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from keras_hrnet.data.files.images import check_image
from keras_hrnet.data.files.jpeg import JpegHeader
from keras_hrnet.data.files.labels import check_label
from keras_hrnet.data.files.png import PngHeader
from keras_hrnet.data.files.reading import UnusableFileError
from keras_hrnet.data_sets import LabelValues


class Pair(NamedTuple):
    """An image and its label image."""

    image: Path
    label: Path


class Examination(NamedTuple):
    """The header of an image, if that can be used, and what is wrong with it and its label images."""

    header: PngHeader | JpegHeader | None
    faults: list[UnusableFileError]


class UsablePairs(NamedTuple):
    """The pairs that can be used with the headers of their images, and those that cannot, each with its error."""

    pairs: list[Pair]
    headers: list[PngHeader | JpegHeader]
    left_out: list[tuple[Pair, UnusableFileError]]


def check_pairs(pairs: Sequence[Pair], *, known: LabelValues, contents: bool = True) -> list[PngHeader | JpegHeader]:
    """Checks all files of a data set before the first epoch, on as many threads as there are cores.

    Args:
        contents: whether to read whole files (`check_image`, `check_label`), or only their headers.

    Returns:
        A list with the header of each image: `header[:2]` is its height and width, in pixels.

    Raises:
        UnusableFileError: for the first pair, in order, with a file that cannot be used.
    """
    headers = []
    # Its threads end now: a generator that is left to the collector has been seen to join them at a moment that hangs.
    with contextlib.closing(examine_pairs(pairs, known=known, contents=contents)) as examinations:
        for examination in examinations:
            if examination.faults:
                raise examination.faults[0]
            headers.append(examination.header)
    return headers


def usable_pairs(pairs: Sequence[Pair], *, known: LabelValues, contents: bool = True) -> UsablePairs:
    """Separates the pairs that can be used from those that cannot, in their order, as fast as `check_pairs`."""
    usable = UsablePairs([], [], [])
    with contextlib.closing(examine_pairs(pairs, known=known, contents=contents)) as examinations:
        for pair, examination in zip(pairs, examinations, strict=True):
            if examination.faults:
                usable.left_out.append((pair, examination.faults[0]))
            else:
                usable.pairs.append(pair)
                usable.headers.append(examination.header)
    return usable


def examine_pairs(pairs: Sequence[Pair], *, known: LabelValues, contents: bool = True) -> Iterator[Examination]:
    """Looks for everything that is wrong with many pairs, in their order, on as many threads as there are cores.

    Code that may stop before the last pair closes the generator, which ends its threads.
    """
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda pair: examine(pair.image, [pair.label], known=known, contents=contents), pairs)


def examine(image: Path, labels: Sequence[Path], *, known: LabelValues, contents: bool = True) -> Examination:
    """Looks for everything that is wrong with an image and its label images.

    An image of Cityscapes may have two, a fine and a coarse one.
    """
    header, faults = None, []
    try:
        header = check_image(image, contents=contents)
    except UnusableFileError as error:
        faults.append(error)
    for label in labels:
        try:
            label_header = check_label(label, known=known, contents=contents)
        except UnusableFileError as error:
            faults.append(error)
            continue
        if header is not None and header[:2] != label_header[:2]:
            faults.append(_sizes_differ(image, header, label, label_header))
    return Examination(header, faults)


def _sizes_differ(image, header, label, label_header):
    return UnusableFileError(
        label,
        "sizes differ",
        found=f"is {label_header.height}x{label_header.width} (height x width), and its image {image} is "
        f"{header.height}x{header.width}",
        expected="one size",
        cure="Restore the two files from the same source.",
    )
