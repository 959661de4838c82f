"""Matches images and label images from two folders or two sequences."""

import collections
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from keras_hrnet.data.files.pairs import Pair
from keras_hrnet.data.files.parts import Part
from keras_hrnet.picture_files.listing import (
    PICTURE_ENDINGS,
    composed,
    described,
    is_folder,
    names_below,
    parent_described,
)
from keras_hrnet.suggestion import closest


class Match(NamedTuple):
    """The files of two folders: pairs, images without a label image, and label images without an image."""

    pairs: list[Pair]
    images_alone: list[Path]
    labels_alone: list[Path]


class Place(NamedTuple):
    """A folder and a pattern: the start and the end of names, around the part that image and label image share."""

    folder: Path
    start: str = ""
    end: str = ""

    def shared_of(self, name: str) -> str | None:
        """Returns the part of a file name that the star of the pattern matches; None if the name does not match."""
        # A pattern whose end has no dot matches any suffix.
        whole = name if "." in self.end else os.path.splitext(name)[0]
        fits = len(whole) > len(self.start + self.end) and whole.startswith(self.start) and whole.endswith(self.end)
        return whole[len(self.start) : len(whole) - len(self.end)] if fits else None

    def __str__(self) -> str:
        return str(self.folder / f"{self.start}*{self.end}" if self.start or self.end else self.folder)


def find_folder_pairs(
    images: str | os.PathLike | Sequence[str | os.PathLike],
    labels: str | os.PathLike | Sequence[str | os.PathLike],
    part: Part | None = None,
) -> list[Pair]:
    """Finds the label image of each image.

    Folders are searched recursively, and an image and its label image have the same path in them, up to the suffix:
    `images/a/1.jpg` belongs to `labels/a/1.png`. A label image without an image is left out. Names that begin with a
    dot, and files that are not pictures, are skipped.

    Args:
        images: a folder, a folder with a pattern of the names in it and below, such as "photos/*.jpg", or a sequence of
            paths. The star stands for the part that the names of an image and its label image share.
        labels: a folder or pattern, such as "photos/*_L.png", or a sequence of as many paths in the same order.
        part: which of the pairs to keep; None keeps all of them.

    Returns:
        A list of `Pair`, sorted by the path in the folder, or in the order of the sequences.

    Raises:
        TypeError: if one is a folder and the other is not, or an entry is not a path.
        ValueError: if the sequences are empty or of different length, two files of a folder have the same name, or a
            pattern has two stars.
        FileNotFoundError: if a folder or file is missing, a folder has no picture, or an image has no label image.
        PermissionError: if a folder cannot be read.
    """
    if _is_path(images) != _is_path(labels):
        raise TypeError(
            f"Received images={_brief(images)} and labels={_brief(labels)}. Expected two folders, or two sequences of "
            f"paths. Pass both in the same way."
        )
    if _is_path(images):
        match, top = match_folders(images, labels), _place(images).folder
        if match.images_alone:
            raise FileNotFoundError(_without_label(_place(images), _place(labels), match))
        pairs = match.pairs
    else:
        pairs = _listed_pairs(images, labels)
        top = os.path.commonpath([pair.image.absolute().parent for pair in pairs])
    if part is None:
        return pairs
    names = [os.path.relpath(os.path.splitext(pair.image.absolute())[0], top).replace(os.sep, "/") for pair in pairs]
    return part.of(pairs, names)


def match_folders(images: str | os.PathLike, labels: str | os.PathLike) -> Match:
    """Matches the files of two folders by their names.

    Args:
        images: a folder or pattern.
        labels: a folder or pattern.

    Returns:
        A `Match`; each list is sorted by the path in the folder.

    Raises:
        ValueError: if both are the same, two files of a folder have the same name, or a pattern has two stars.
        FileNotFoundError: if a folder is missing, or contains no picture.
        PermissionError: if a folder cannot be read.
    """
    images, labels = _place(images), _place(labels)
    if images._replace(folder=images.folder.absolute()) == labels._replace(folder=labels.folder.absolute()):
        raise ValueError(
            f"Received the folder {images} for both images and labels. Expected two folders, or two patterns of "
            f"names. Move the label images to their own folder, pass patterns such as {images.folder}/*.jpg and "
            f"{images.folder}/*_L.png, or pass two sequences of paths."
        )
    image_files, label_files = _pictures(images, "images", labels), _pictures(labels, "labels", images)
    return Match(
        [Pair(path, label_files[name]) for name, path in image_files.items() if name in label_files],
        [path for name, path in image_files.items() if name not in label_files],
        [path for name, path in label_files.items() if name not in image_files],
    )


def _is_path(value):
    return isinstance(value, str | os.PathLike)


def _brief(value):
    return repr(str(value)) if _is_path(value) else f"a {type(value).__name__}"


def _listed_pairs(images, labels):
    images, labels = _paths(images, "images"), _paths(labels, "labels")
    if len(images) != len(labels) or not images:
        raise ValueError(
            f"Received {len(images)} images and {len(labels)} labels. Expected at least one image, and a label image "
            "for each. Pass two sequences of the same length."
        )
    missing = [path for path in [*images, *labels] if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(images)} images and as many label images are missing; the first is "
            f"{missing[0]}. Expected existing files. Check the paths; relative paths start from {Path.cwd()}."
        )
    return [Pair(image, label) for image, label in zip(images, labels, strict=True)]


def _paths(values, name):
    try:
        return [Path(value) for value in values]
    except TypeError as error:
        raise TypeError(
            f"Received {name}={_brief(values)} ({error}). Expected a folder, or a sequence of paths. Pass one of them."
        ) from None


def _place(path):
    path = Path(path)
    if "*" not in path.name or is_folder(path):
        return Place(path)
    if path.name.count("*") > 1 or "*" in str(path.parent):
        raise ValueError(
            f"Received the pattern {path}. Expected one star, in the file name, for the text that the names of an "
            "image and its mask share. Write it like photos/*_L.png; subfolders are searched too."
        )
    start, _, end = path.name.partition("*")
    return Place(path.parent, start, end)


def _pictures(place, argument, other):
    """Finds the pictures of a place, by the shared part of their names, without those of the other place."""
    folder, is_shared = place.folder, place.folder.absolute() == other.folder.absolute()
    if not is_folder(folder):
        raise FileNotFoundError(
            f"Received {argument}={str(folder)!r}, which {described(folder)}; {parent_described(folder)}. Expected a "
            "folder. Check the path."
        )
    found = collections.defaultdict(list)
    for path in sorted(names_below(folder, None if is_shared else other.folder.absolute())):
        below, name = os.path.split(path)
        shared = place.shared_of(name)
        if shared is None or not name.lower().endswith(PICTURE_ENDINGS):
            continue
        # In the same folder, a name that matches both patterns belongs to the narrower one.
        if is_shared and len(place.start + place.end) < len(other.start + other.end) and other.shared_of(name):
            continue
        found[composed(f"{below}/{shared}")].append(folder / path)
    if not found:
        formats = {"images": "PNG, JPEG or other picture", "labels": "PNG, TIFF or BMP"}
        pattern = "" if str(place) == str(folder) else f" that is named {place.start}*{place.end}"
        raise FileNotFoundError(
            f"There is no picture{pattern} in {folder}, which {described(folder)}. Expected {formats[argument]} files. "
            f"Put the {argument} there, or pass another folder{' or pattern' * bool(pattern)}."
        )
    for paths in found.values():
        if len(paths) > 1:
            raise ValueError(
                f"{paths[0]} and {paths[1].name} have the same name up to the suffix"
                f"{_as_written(*paths[:2])}. Expected one file for each name, because "
                f"{argument} are matched by name. Rename or remove one, or pass two sequences of paths."
            )
    return {stem: paths[0] for stem, paths in found.items()}


def _as_written(one, other):
    return ", which Unicode can write in two ways" if composed(one.name) == composed(other.name) else ""


def _without_label(images, labels, match):
    first = match.images_alone[0]
    below, shared = first.relative_to(images.folder).parent, images.shared_of(first.name)
    name = (below / shared).as_posix()
    expected = labels.folder / below / f"{labels.start}{shared}{labels.end}"
    near = [path for path in match.labels_alone if shared in path.name]
    affixes = near and [affix.removesuffix(near[0].suffix) for affix in near[0].name.split(shared, 1)]
    near = near or [path for path in match.labels_alone if path.parent.name == first.parent.name] or match.labels_alone
    names = [path.relative_to(labels.folder).with_suffix("").as_posix() for path in near]
    nearest = closest(name, names, cutoff=0)
    free = f"the nearest name without an image is {nearest[0]!r}" if nearest else "all of them have an image"
    cure = f"pass the pattern {labels.folder}/{affixes[0]}*{affixes[1]}{near[0].suffix} for them, " if affixes else ""
    return (
        f"{len(match.images_alone)} of {len(match.images_alone) + len(match.pairs)} images in {images} have no label "
        f"image in {labels}. The first is {first}. Expected {expected}{'' if '.' in labels.end else '.png'}; {free}. "
        f"Rename the label images like their images, {cure}remove these images, or pass two sequences of paths."
    )
