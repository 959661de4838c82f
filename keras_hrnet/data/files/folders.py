"""Any images and label images: a folder of each, or a list of each."""

import collections
import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from keras_hrnet.data.files.listing import described, is_folder, names_below
from keras_hrnet.data.files.pairs import Pair

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""What counts as a picture. Only PNG and JPEG can be used: the others are found so that none is left out unsaid."""


class Match(NamedTuple):
    """The files of two folders: pairs, images without a label image, and label images without an image."""

    pairs: list[Pair]
    images_alone: list[Path]
    labels_alone: list[Path]


def find_folder_pairs(
    images: str | os.PathLike | Sequence[str | os.PathLike], labels: str | os.PathLike | Sequence[str | os.PathLike]
) -> list[Pair]:
    """Finds the label image of each image.

    Folders are searched with all folders below them, and an image and its label image have the same path there, up to
    the suffix: `images/a/1.jpg` belongs to `labels/a/1.png`. The images decide: a label image without an image is left
    out. Names that begin with a dot, and files that are no pictures, are passed over.

    Args:
        images: a folder, or a sequence of paths.
        labels: a folder, or a sequence of as many paths in the same order.

    Returns:
        A list of `Pair`, sorted by the path in the folder, or in the order of the sequences.

    Raises:
        TypeError: if one is a folder and the other is not, or an entry is no path.
        ValueError: if the sequences are empty or of different length, or two files of a folder have one name.
        FileNotFoundError: if a folder or file is missing, a folder has no picture, or an image has no label image.
        PermissionError: if a folder cannot be read.
    """
    if _is_path(images) != _is_path(labels):
        raise TypeError(
            f"Received images={_brief(images)} and labels={_brief(labels)}. Expected two folders, or two sequences of "
            f"paths. Pass both in the same way."
        )
    if not _is_path(images):
        return _listed_pairs(images, labels)
    match = match_folders(images, labels)
    if match.images_alone:
        raise FileNotFoundError(_without_label(Path(images), Path(labels), match))
    return match.pairs


def match_folders(images: str | os.PathLike, labels: str | os.PathLike) -> Match:
    """Matches the files of two folders by their names.

    Args:
        images: a folder.
        labels: a folder.

    Returns:
        A `Match`; each list is sorted by the path in the folder.

    Raises:
        ValueError: if both are one folder, or two files of a folder have one name.
        FileNotFoundError: if a folder is missing, or holds no picture.
        PermissionError: if a folder cannot be read.
    """
    images, labels = Path(images), Path(labels)
    if images.absolute() == labels.absolute():
        raise ValueError(
            f"Received the folder {images} for both images and labels. Expected two folders. Move the label images to "
            f"one of their own, or pass two sequences of paths."
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
            f"for each. Pass two sequences of one length."
        )
    missing = [path for path in [*images, *labels] if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(images)} images and as many label images are missing; the first is "
            f"{missing[0]}. Expected files. Check the paths, which are read from {Path.cwd()} where they are relative."
        )
    return [Pair(image, label) for image, label in zip(images, labels, strict=True)]


def _paths(values, name):
    try:
        return [Path(value) for value in values]
    except TypeError as error:
        raise TypeError(
            f"Received {name}={_brief(values)} ({error}). Expected a folder, or a sequence of paths. Pass one of them."
        ) from None


def _pictures(folder, argument, other):
    """The pictures below a folder by their path without suffix; those below the other folder are not part of it."""
    if not is_folder(folder):
        raise FileNotFoundError(
            f"Received {argument}={str(folder)!r}, which {described(folder)}; {folder.parent} "
            f"{described(folder.parent)}. Expected a folder. Check the path."
        )
    found = collections.defaultdict(list)
    for name in sorted(names_below(folder, other.absolute())):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in PICTURE_SUFFIXES:
            found[stem].append(folder / name)
    if not found:
        formats = {"images": "PNG or JPEG", "labels": "PNG"}
        raise FileNotFoundError(
            f"There is no picture in {folder}, which {described(folder)}. Expected {formats[argument]} files. "
            f"Put the {argument} there, or pass another folder."
        )
    for paths in found.values():
        if len(paths) > 1:
            raise ValueError(
                f"{paths[0]} and {paths[1].name} have one name up to their suffix. Expected one file a name, as "
                f"{argument} are matched by name. Rename or remove one, or pass two sequences of paths."
            )
    return {stem: paths[0] for stem, paths in found.items()}


def _without_label(images, labels, match):
    first = match.images_alone[0]
    name = first.relative_to(images).with_suffix("").as_posix()
    near = [path for path in match.labels_alone if first.stem in path.name]
    near = near or [path for path in match.labels_alone if path.parent.name == first.parent.name] or match.labels_alone
    names = [path.relative_to(labels).with_suffix("").as_posix() for path in near]
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0)
    free = f"the nearest name without an image is {nearest[0]!r}" if nearest else "all of them have an image"
    return (
        f"{len(match.images_alone)} of {len(match.images_alone) + len(match.pairs)} images in {images} have no label "
        f"image in {labels}. The first is {first}. Expected {labels / name}.png; {free}. "
        f"Rename the label images like their images, remove these images, or pass two sequences of paths."
    )
