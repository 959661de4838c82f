"""Checks whether images and their label images can be used for training, and match each other."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from keras_hrnet.data.files.checked import CheckedFiles
from keras_hrnet.data.files.images import ImageHeader, check_image
from keras_hrnet.data.files.labels import LabelHeader, check_label
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.picture_files.reading import UnusableFileError

PUBLISHED_FORMATS = ("8-bit RGB", "JPEG in RGB")
"""The formats of images of data sets whose label images have one published format; others are not the originals."""


class Pair(NamedTuple):
    """An image and its label image."""

    image: Path
    label: Path


class Examination(NamedTuple):
    """The headers of an image and its label images, if they can be used, and the problems with them."""

    header: ImageHeader | None
    faults: list[UnusableFileError]
    labels: list[LabelHeader]


class Headers(NamedTuple):
    """The headers of a pair."""

    image: ImageHeader
    label: LabelHeader


class UsablePairs(NamedTuple):
    """The pairs that can be used with their headers, and those that cannot, each with its error."""

    pairs: list[Pair]
    headers: list[Headers]
    left_out: list[tuple[Pair, UnusableFileError]]


def check_pairs(pairs: Sequence[Pair], *, known: LabelValues, contents: bool = True) -> list[Headers]:
    """Checks all files of a data set before the first epoch, on as many threads as there are cores.

    Args:
        contents: whether to read complete files (`check_image`, `check_label`); if False, only their headers are read.
            Files that passed an earlier check, and have not changed since, are not read again.

    Returns:
        A list with the headers of each pair.

    Raises:
        UnusableFileError: for the first pair, in order, with a file that cannot be used.
    """
    headers = []
    # This ends its threads now. The process sometimes hung when the garbage collector joined them later.
    with contextlib.closing(examine_pairs(pairs, known=known, contents=contents)) as examinations:
        for examination in examinations:
            if examination.faults:
                raise examination.faults[0]
            headers.append(Headers(examination.header, *examination.labels))
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
                usable.headers.append(Headers(examination.header, *examination.labels))
    return usable


def examine_pairs(pairs: Sequence[Pair], *, known: LabelValues, contents: bool = True) -> Iterator[Examination]:
    """Finds all problems of many pairs, in their order, on as many threads as there are cores.

    Code that may stop before the last pair must close the generator, which ends its threads.
    """
    checked = CheckedFiles(pairs[0], known) if contents and pairs else None

    def examine_new(pair):
        headers = checked and checked.recall(pair)
        if headers:
            return Examination(headers[0], [], [headers[1]])
        examination = examine(pair.image, [pair.label], known=known, contents=contents)
        if checked and not examination.faults:
            checked.note(pair, examination.header, *examination.labels)
        return examination

    try:
        with ThreadPoolExecutor() as pool:
            yield from pool.map(examine_new, pairs)
    finally:
        if checked:
            checked.save()


def examine(image: Path, labels: Sequence[Path], *, known: LabelValues, contents: bool = True) -> Examination:
    """Finds all problems of an image and its label images.

    An image of Cityscapes may have two, a fine and a coarse one.
    """
    header, faults, label_headers = None, [], []
    try:
        header = check_image(image, contents=contents)
    except UnusableFileError as error:
        faults.append(error)
    if header is not None and known.original and header.format not in PUBLISHED_FORMATS:
        found, expected = f"is {header.format}", "an image in 8-bit RGB, as published"
        faults.append(UnusableFileError(image, "pixel format", found=found, expected=expected))
    for label in labels:
        try:
            label_header = check_label(label, known=known, contents=contents)
        except UnusableFileError as error:
            faults.append(error)
            continue
        label_headers.append(label_header)
        if header is not None and header[:2] != label_header[:2]:
            faults.append(_sizes_differ(image, header, label, label_header))
    return Examination(header, faults, label_headers)


def _sizes_differ(image, header, label, label_header):
    return UnusableFileError(
        label,
        "sizes differ",
        found=f"is {label_header.height}x{label_header.width} (height x width), and its image {image} is "
        f"{header.height}x{header.width}",
        expected="the same size",
        cure=_size_cure(header, label_header),
    )


def _size_cure(image, label):
    if image[:2] == label[1::-1]:
        turned = f"The image is read upright, by its Exif data (orientation {image.orientation}). "
        return turned * (image.orientation != 1) + "Rotate the label image by a quarter turn, or restore both files."
    is_scaled = image.height != label.height and image.width != label.width
    if is_scaled and abs(image.height * label.width - image.width * label.height) < max(image[:2]):
        scale = "Image.open(path).resize((width, height), Image.Resampling.NEAREST).save(path)"
        return f"Resize the label image without blending its values: `{scale}`."
    return "Restore the two files from the same source."
