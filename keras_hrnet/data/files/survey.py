"""Checks all files of a data set: finds missing and invalid files, and advises how to fix them."""

import collections
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from keras_hrnet.data.files.findings import ERROR, REMARK, Finding, Row, Survey, counted
from keras_hrnet.data.files.folders import match_folders
from keras_hrnet.data.files.pairs import Pair, examine
from keras_hrnet.data.files.splits import as_found, list_split, require_root
from keras_hrnet.data.label_coding import LabelCoding, coding_of_data_set
from keras_hrnet.data.occurrence import cure_of_missing, fault_of, missing_classes
from keras_hrnet.data_sets import DataSet, LabelValues
from keras_hrnet.data_sets.cityscapes import (
    ANNOTATIONS,
    BROKEN_IMAGE,
    BROKEN_NAME,
    CITYSCAPES,
    EXTRA,
    PUBLISHED_SIZE,
)
from keras_hrnet.picture_files.listing import is_folder
from keras_hrnet.picture_files.opening import TURNS
from keras_hrnet.picture_files.reading import UnusableFileError

ANY_VALUE = LabelValues(values=frozenset(range(256)))


def check(
    root: str | os.PathLike,
    row: DataSet = CITYSCAPES,
    *,
    contents: bool = True,
    on_pair: Callable[[Pair], Any] | None = None,
) -> Survey:
    """Checks every split and every file of a supported data set; for Cityscapes, both annotations.

    A missing split is not an error, because each split has its own archives. Neither are fewer images than published,
    nor images of another size, as in synthetic data sets. The survey reports all of these.

    Args:
        root: the folder that contains all files; for Cityscapes `leftImg8bit`, and `gtFine` or `gtCoarse`.
        row: description of the data set: one of `keras_hrnet.data_sets.DATA_SETS`, or a custom one.
        contents: whether to read complete files; if False, only names, sizes and pixel formats are checked.
        on_pair: function that is called with each `Pair` after its files have been checked.

    Raises:
        FileNotFoundError: if the root has no folder of images, or none of label images.

    Example:

    ```python
    survey = keras_hrnet.data.check("data/cityscapes")
    print(survey)
    ```
    """
    root = Path(root)
    annotations = _annotations(root, row)
    rows, findings = [], []
    for split in _splits(annotations):
        split_rows, split_findings = _check_split(root, split, annotations, contents, on_pair)
        rows += split_rows
        findings += split_findings
    if not findings and not any(row.found for row in rows):
        first = next(iter(annotations.values()))
        archives = map(first.archive_of, first.layout.folders_of("train"))
        cure = f"Unpack {' and '.join(archives)} there."
        findings.append(Finding(ERROR, "no images", root, "holds no image with a label image", cure))
    rows.sort(key=lambda row: list(annotations).index(row.annotation))
    return Survey(str(root), tuple(rows), tuple(findings))


def check_folders(
    images: str | os.PathLike,
    labels: str | os.PathLike,
    *,
    coding: LabelCoding | None = None,
    contents: bool = True,
    on_pair: Callable[[Pair], Any] | None = None,
) -> Survey:
    """Checks a folder of images and one of label images.

    Args:
        images: the folder or pattern of images.
        labels: the folder or pattern of label images, which are matched by name.
        coding: how the label images store the classes; None allows every value.
        contents: whether to read complete files; if False, only names, sizes and pixel formats are checked.
        on_pair: function that is called with each `Pair` after its files have been checked.

    Returns:
        A `Survey` of one row.

    Raises:
        ValueError: if both are the same folder, or two files of a folder have the same name.
        FileNotFoundError: if a folder is missing, or holds no picture.
        PermissionError: if a folder cannot be read.
    """
    match = match_folders(images, labels)
    known = ANY_VALUE if coding is None else coding.label_values
    examined = _examine({pair.image: [pair.label] for pair in match.pairs}, known, contents, on_pair)
    faults = examined.faults
    findings = [_finding(error, error.cure) for error in faults] + _turned(examined.turned)
    if coding is not None and match.pairs and examined.occurring is not None and not faults:
        findings += _without_pixels(Path(labels), examined.occurring, coding)
    cure = "Give its label image the same name, or remove the image."
    findings += [Finding(ERROR, "image without label", path, "has no label image", cure) for path in match.images_alone]
    cure = "If it has an image, give both the same name."
    findings += [Finding(REMARK, "label without image", path, "is left out", cure) for path in match.labels_alone]
    num_errors = sum(finding.severity == ERROR for finding in findings)
    row = Row("all", "masks", len(match.pairs), None, counted(num_errors, "error") if num_errors else "sound")
    values = () if faults or examined.occurring is None else _with_classes(examined.occurring, coding)
    return Survey(f"{images} with {labels}", (row,), tuple(findings), values)


def count_pairs(root: str | os.PathLike, row: DataSet = CITYSCAPES) -> int:
    """Counts the pairs that `check` checks, for a progress bar.

    Args:
        root: the folder that holds all files.
        row: description of the data set.

    Raises:
        FileNotFoundError: if the root has no folder of images, or none of label images.
    """
    root = Path(root)
    annotations = _annotations(root, row)
    found = [_listings(root, split, annotations)[0] for split in _splits(annotations)]
    return sum(len(listing.pairs) for listings in found for listing in listings.values())


def _annotations(root, row):
    """Returns the kinds of label images that a data set has, by name, in the layout that was found."""
    if row is not CITYSCAPES:
        first = next(iter(row.num_images))
        found = as_found(root, row, first)
        require_root(root, found, first)
        return {"masks": found}
    there = (kind for kind in ANNOTATIONS.values() if is_folder((root / kind.layout.folders_of("train")[1]).parent))
    require_root(root, next(there, CITYSCAPES), "train")
    return ANNOTATIONS


def _splits(annotations):
    return dict.fromkeys(split for row in annotations.values() for split in row.num_images)


def _check_split(root, split, annotations, contents, on_pair):
    """Returns the rows and findings of a split; images with fine and coarse label images are checked once."""
    annotations = {name: row for name, row in annotations.items() if split in row.num_images}
    listings, findings = _listings(root, split, annotations)
    unreadable = {name: row for name, row in annotations.items() if name not in listings}
    rows = [Row(split, name, 0, row.num_images[split], "unreadable") for name, row in unreadable.items()]
    labels_of = collections.defaultdict(list)
    for listing in listings.values():
        for image, label in listing.pairs:
            labels_of[image].append(label)
    first = next(iter(annotations.values()))
    examined = _examine(labels_of, first.label_values, contents, on_pair)
    findings += [_finding(error, _cure(root, error)) for error in examined.faults] + _turned(examined.turned)
    faulty = {error.path for error in examined.faults}
    for name, listing in listings.items():
        missing = _missing(root, split, annotations[name], listing)
        findings += missing
        num_errors = sum(path in faulty for pair in listing.pairs for path in pair)
        num_errors += sum(finding.severity == ERROR for finding in missing)
        state = _state(root, split, annotations[name], listing, num_errors)
        rows.append(Row(split, name, len(listing.pairs), annotations[name].num_images[split], state))
    images, labels = first.layout.folders_of(split)
    if first.name == CITYSCAPES.name:
        findings += _other_sizes(root / images, examined.sizes)
    elif split == "train" and labels_of and examined.occurring is not None and not examined.faults:
        findings += _without_pixels(root / labels, examined.occurring, coding_of_data_set(first))
    return rows, findings


def _listings(root, split, annotations):
    """Returns the files of a split for each annotation, and a finding for each that cannot be listed."""
    listings, findings = {}, {}
    for name, data_set in annotations.items():
        try:
            if split in data_set.num_images:
                listings[name] = list_split(root, data_set, split)
        except FileNotFoundError as error:
            cure = "Ignore this if the split is not needed."
            findings[str(error)] = Finding(REMARK, "missing list", root, f"has no split {split!r}. {error}", cure)
        except PermissionError as error:
            message = f"has a split {split!r} that was not checked. {error}"
            # If both annotations fail because of the same folder of images, this is one finding.
            findings[str(error)] = Finding(
                ERROR, "unreadable folder", root, message, "Grant permission, then check again."
            )
    return listings, list(findings.values())


class Examined(NamedTuple):
    """Results of many checks: number of images by size, faults, rotated images, and values or colors of the labels."""

    sizes: collections.Counter
    faults: list[UnusableFileError]
    turned: list[Path]
    occurring: frozenset | None


def _examine(labels_of, known, contents, on_pair):
    sizes, faults, turned, occurring = collections.Counter(), [], [], []
    with ThreadPoolExecutor() as pool:
        examined = pool.map(lambda item: examine(*item, known=known, contents=contents), labels_of.items())
        for (image, labels), examination in zip(labels_of.items(), examined, strict=True):
            if examination.header is not None:
                sizes[examination.header[:2]] += 1
                turned += [image] * (examination.header.orientation in TURNS)
            occurring += [header.occurring for header in examination.labels]
            faults += examination.faults
            for label in labels if on_pair is not None else ():
                on_pair(Pair(image, label))
    return Examined(sizes, faults, turned, None if None in occurring else frozenset().union(*occurring))


def _turned(images):
    message = "is rotated by its Exif data, and is read upright"
    return [
        Finding(REMARK, "rotated", image, message, "Make sure that its label image is upright too.") for image in images
    ]


def _without_pixels(labels, occurring, coding):
    """Returns the findings about classes that have no pixels in the label images."""
    fault = fault_of(occurring, coding)
    if fault is not None:
        return [Finding(ERROR, "nothing to learn", labels, f"hold {fault.found}", fault.cure)]
    cure = cure_of_missing(occurring, coding)
    return [
        Finding(REMARK, "class without a pixel", labels, f"have no pixel of the class {name!r}", cure)
        for name in missing_classes(occurring, coding)
    ]


def _with_classes(occurring, coding):
    """Returns the stored values, or colors, that occur, each with the name of its class."""
    return tuple(
        (
            "#" + "".join(f"{part:02x}" for part in value) if isinstance(value, tuple) else str(value),
            "" if coding is None else coding.name_of(value),
        )
        for value in sorted(occurring, key=lambda value: (isinstance(value, tuple), value))
    )


def _finding(error, cure):
    return Finding(ERROR, error.kind, error.path, f"{error.found}; expected {error.expected}", cure)


def _cure(root, error):
    if error.path != root / BROKEN_IMAGE:
        return error.cure
    archive = CITYSCAPES.archive_of(BROKEN_IMAGE)
    return f"{archive} is known to contain this one broken image. Remove it; its label is then left out."


def _missing(root, split, data_set, listing):
    """Returns the findings about files without a counterpart, and about the number of pairs."""
    if _is_absent(listing):
        return []
    findings, (images, labels) = [], data_set.layout.folders_of(split)
    cure = f"Unpack {data_set.archive_of(labels)} at {root}, or remove these images."
    for image, label in listing.images_alone:
        findings.append(Finding(ERROR, "image without label", image, f"has no label image at {label}", cure))
    cure = f"If their images are needed, unpack {data_set.archive_of(images)} at {root}."
    for label in listing.labels_alone:
        if not label.name.startswith(BROKEN_NAME):
            findings.append(Finding(REMARK, "label without image", label, "has no image, and is left out", cure))
    if len(listing.pairs) < _num_expected(root, split, data_set):
        message = f"has {len(listing.pairs)} images with a label image; {data_set.num_images[split]} are published"
        cure = "If this should be the published data set, unpack its archives again."
        findings.append(Finding(REMARK, "fewer than published", root / labels, message, cure))
    return findings


def _is_absent(listing):
    return not listing.pairs and not (listing.images_alone and listing.labels_alone)


def _num_expected(root, split, data_set):
    removed = split == EXTRA and not (root / BROKEN_IMAGE).exists()
    return data_set.num_images[split] - removed


def _state(root, split, data_set, listing, num_errors):
    if _is_absent(listing):
        alone = (listing.images_alone, listing.labels_alone)
        folders = zip(data_set.layout.folders_of(split), alone, strict=True)
        return f"absent: {' and '.join(data_set.archive_of(folder) for folder, files in folders if not files)}"
    if num_errors:
        return counted(num_errors, "error")
    return "complete" if len(listing.pairs) == _num_expected(root, split, data_set) else "sound"


def _other_sizes(folder, sizes):
    others = [f"{count} of {height}x{width}" for (height, width), count in sizes.most_common()]
    if not set(sizes) - {PUBLISHED_SIZE}:
        return []
    more = f" and {len(others) - 3} more sizes" if len(others) > 3 else ""
    message = f"has images of another size than 1024x2048 (height x width): {', '.join(others[:3])}{more}"
    return [Finding(REMARK, "other size", folder, message, "Ignore this if the size is intended.")]
