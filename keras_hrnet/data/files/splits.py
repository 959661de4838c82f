"""Finds the files of a supported data set, and names the archives of missing files."""

import dataclasses
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from keras_hrnet.data.files.pairs import Pair
from keras_hrnet.data_sets import DataSet
from keras_hrnet.picture_files.listing import composed, described, entries, is_folder, names, parent_described


class Listing(NamedTuple):
    """The files of a split: pairs, images without a label image, and label images without an image.

    A pair in `images_alone` has the path where its label image is expected.
    """

    pairs: list[Pair]
    images_alone: list[Pair]
    labels_alone: list[Path]


def find_split_pairs(root: Path, data_set: DataSet, split: str) -> list[Pair]:
    """Finds the images of a split and their label images, sorted by their paths within each published split.

    A label image without an image is left out. If a data set has several layouts, the first one whose folders exist is
    read.

    Raises:
        ValueError: if there is no such split.
        FileNotFoundError: if the root, a folder of the split, its images, its list or a label image is missing.
        PermissionError: if a folder cannot be read.
    """
    parts = data_set.parts_of(split)
    data_set = as_found(root, data_set, parts[0])
    require_root(root, data_set, parts[0])
    return [pair for part in parts for pair in _pairs(root, data_set, part)]


def as_found(root: Path, data_set: DataSet, split: str) -> DataSet:
    """Returns the data set with the first of its layouts whose folders exist, or else with its published layout."""
    for layout in data_set.layouts:
        if all(is_folder(root / folder) for folder in layout.folders_of(split)):
            return dataclasses.replace(data_set, layout=layout)
    return data_set


def list_images(root: Path, data_set: DataSet, split: str) -> list[Path]:
    """Lists the images of a published split, whether they have label images or not, sorted by their paths.

    Raises:
        ValueError: if there is no such split.
        FileNotFoundError: if the folder of the split, its list, or an image in it is missing.
        PermissionError: if a folder cannot be read.
    """
    if split not in data_set.num_images:
        raise ValueError(
            f"Received the split {split!r}. Expected one of {', '.join(data_set.num_images)}. Choose one of them."
        )
    (pattern, _), (path, _) = data_set.layout.patterns_of(split), data_set.layout.folders_of(split)
    folder, cure = root / path, f"Unpack {data_set.archive_of(path)} at {root}"
    if not is_folder(folder):
        raise FileNotFoundError(
            f"There is no folder {folder}; {parent_described(folder)}. Expected one folder for each split. {cure}, or "
            "choose another split."
        )
    images = _images(root, data_set, split)
    if not images:
        raise FileNotFoundError(
            f"There is no image in {folder}, which {described(folder)}. Expected files named "
            f"{pattern.removeprefix(f'{path}/')}. {cure}."
        )
    return list(images.values())


def list_split(root: Path, data_set: DataSet, split: str) -> Listing:
    """Lists the files of a published split, sorted by their paths.

    Raises:
        FileNotFoundError: if its list, or an image in it, is missing.
        PermissionError: if a folder cannot be read.
    """
    _, label_pattern = data_set.layout.patterns_of(split)
    images, labels = _images(root, data_set, split), _matching(root, label_pattern)
    return Listing(
        [Pair(image, labels[stars]) for stars, image in images.items() if stars in labels],
        [
            Pair(image, root / label_pattern.replace("*", "{}").format(*stars))
            for stars, image in images.items()
            if stars not in labels
        ],
        [label for stars, label in labels.items() if stars not in images],
    )


def require_root(root: Path, data_set: DataSet, split: str) -> None:
    """Checks that a root has the topmost folders of images and label images.

    Raises:
        FileNotFoundError: if one of them is missing; the message suggests a root nearby that has both.
    """
    tops = _tops(data_set.layout, split)
    missing = [top for top in tops if not is_folder(root / top)]
    if not missing:
        return
    for near in [*root.absolute().parents[:3], *(path for path in entries(root) if is_folder(path))]:
        if any(all(is_folder(near / top) for top in _tops(layout, split)) for layout in data_set.layouts):
            cure = f"Use the root {near} instead."
            break
    else:
        cure = f"Unpack {' and '.join(dict.fromkeys(map(data_set.archive_of, missing)))} there."
    raise FileNotFoundError(
        f"The {data_set.title} root {root} {described(root)}. Expected the folder{'s' * (len(tops) > 1)} "
        f"{' and '.join(tops)} in it; missing: {', '.join(missing)}. {cure}"
    )


def _tops(layout, split):
    """Returns the names of the folders in the root that hold the images and label images of a split."""
    return list(dict.fromkeys(pattern.partition("/")[0] for pattern in layout.patterns_of(split)))


def _images(root, data_set, split):
    """Returns the images of a split, by the texts that match the stars of their pattern."""
    layout = data_set.layout
    images = _matching(root, layout.patterns_of(split)[0])
    if layout.lists is None:
        return images
    path = root / layout.list_of(split)
    folder, _ = layout.folders_of(split)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no list {path} of the images of {split}. Expected a text file that names one in each line. "
            f"Download it from its source: {data_set.source}"
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    listed = {_name(PurePosixPath(line.split()[0])) for line in lines if line.strip()}
    images = {stars: image for stars, image in images.items() if _name(image) in listed}
    missing = sorted(listed - {_name(image) for image in images.values()})
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(listed)} images that {path} lists are not in {root / folder}. The first is "
            f"{missing[0]}. Unpack {data_set.archive_of(folder)} at {root}, or remove these lines."
        )
    return images


def _name(path):
    return composed(path.stem)


def _pairs(root, data_set, split):
    num_images = len(list_images(root, data_set, split))
    listing = list_split(root, data_set, split)
    if listing.images_alone:
        first = listing.images_alone[0]
        images, labels = data_set.layout.folders_of(split)
        raise FileNotFoundError(
            f"{len(listing.images_alone)} of {num_images} images in {root / images} "
            f"have no label image. The first is {first.image}; expected its label image at {first.label}. "
            f"Unpack {data_set.archive_of(labels)} at {root}, or remove these images."
        )
    return listing.pairs


def _matching(folder, pattern):
    """Returns the files that match a pattern, by the texts for its stars: {("ulm", "ulm_000001_000019"): path}."""
    head, _, rest = pattern.partition("/")
    start, star, end = head.partition("*")
    found = {}
    for name in [head] if rest and not star else names(folder):
        if len(name) >= len(start + end) and name.startswith(start) and name.endswith(end):
            stars = (composed(name[len(start) : len(name) - len(end)]),) if star else ()
            below = _matching(folder / name, rest) if rest else {(): folder / name}
            found |= {(*stars, *others): path for others, path in below.items()}
    return found
