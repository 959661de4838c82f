"""The layout of Cityscapes on disk: which files belong together, and which archive they come from."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from keras_hrnet.data.files.listing import described, entries, is_folder, names
from keras_hrnet.data.files.pairs import Pair

IMAGE_FOLDER, IMAGE_ENDING = "leftImg8bit", "_leftImg8bit.png"
EXTRA = "train_extra"
SPLITS = ("train", "val", "test", "trainval", EXTRA)

BROKEN_NAME = "troisdorf_000000_000073"
BROKEN_IMAGE = f"{IMAGE_FOLDER}/{EXTRA}/troisdorf/{BROKEN_NAME}{IMAGE_ENDING}"
"""An image that leftImg8bit_trainextra.zip holds as one black channel, its users report (mrharicot/monodepth#140)."""


@dataclasses.dataclass(frozen=True)
class Annotation:
    """One of the two kinds of label images.

    Args:
        folder: where they lie below the root.
        ending: how the names of the files end, after those of the images.
        archive: the published archive that holds all of them.
        published: for each folder of images, how many pairs are published (README of cityscapesScripts).
    """

    folder: str
    ending: str
    archive: str
    published: dict[str, int]

    def folders(self, split):
        """The folders that a split reads; none, if there is no such split."""
        folders = ("train", "val") if split == "trainval" else (split,)
        return folders if set(folders) <= set(self.published) else ()


ANNOTATIONS = {
    "fine": Annotation(
        "gtFine", "_gtFine_labelIds.png", "gtFine_trainvaltest.zip", {"train": 2975, "val": 500, "test": 1525}
    ),
    "coarse": Annotation(
        "gtCoarse", "_gtCoarse_labelIds.png", "gtCoarse.zip", {"train": 2975, "val": 500, EXTRA: 19998}
    ),
}


class Listing(NamedTuple):
    """The files of a folder: pairs, images without a label image, and label images without an image."""

    pairs: list[Pair]
    images_alone: list[Pair]
    labels_alone: list[Path]


def find_pairs(root, split, annotation="fine"):
    """Finds the images of a split and their label images.

    The images decide: a label image without an image is left out.

    Args:
        root: the folder that holds `leftImg8bit`, and `gtFine` or `gtCoarse`.
        split: "train", "val", or "trainval" for both together; also "test" of the fine and "train_extra" of the
            coarse annotation.
        annotation: "fine" or "coarse".

    Returns:
        A list of `Pair`, sorted by city and file name within each folder.

    Raises:
        ValueError: if there is no such split, or not with this annotation.
        FileNotFoundError: if the root, a folder of the split, its images or a label image is missing.
        PermissionError: if a folder cannot be read.
    """
    folders = _folders(split, annotation)
    root = Path(root)
    kind = ANNOTATIONS[annotation]
    require_layout(root, kind.folder, kind.archive)
    return [pair for folder in folders for pair in _pairs_of_folder(root, folder, kind)]


def list_images(root, split):
    """Lists the images of a split, whether they have label images or not.

    Args:
        root: the folder that holds `leftImg8bit`, a `Path`.
        split: "train", "val" or "test".

    Returns:
        A list of paths, sorted by city and file name, at least one.

    Raises:
        ValueError: if there is no such split.
        FileNotFoundError: if the folder of the split, or an image in it, is missing.
        PermissionError: if a folder cannot be read.
    """
    published = ANNOTATIONS["fine"].published
    if split not in published:
        raise ValueError(f"Received the split {split!r}. Expected one of {', '.join(published)}. Choose one of them.")
    return list(_images_of_folder(root, split).values())


def list_files(root, folder, kind):
    """Lists what a folder such as `leftImg8bit/train` and its label images hold.

    Args:
        root: the folder that holds `leftImg8bit`.
        folder: "train", "val", "test" or "train_extra".
        kind: an `Annotation`.

    Returns:
        A `Listing`; each list is sorted by city and file name, and `images_alone` tells the path that the label image
        should have.

    Raises:
        PermissionError: if a folder cannot be read.
    """
    images = _files_of_cities(root / IMAGE_FOLDER / folder, IMAGE_ENDING)
    labels = _files_of_cities(root / kind.folder / folder, kind.ending)
    without = [name for name in images if name not in labels]
    return Listing(
        [Pair(image, labels[name]) for name, image in images.items() if name in labels],
        [Pair(images[name], root / kind.folder / folder / f"{name}{kind.ending}") for name in without],
        [label for name, label in labels.items() if name not in images],
    )


def require_layout(root, label_folder, label_archive):
    """Checks that a root has a folder of images and one of label images.

    Args:
        root: a `Path`.
        label_folder: "gtFine" or "gtCoarse".
        label_archive: where that one comes from.

    Raises:
        FileNotFoundError: if one of them is missing; it tells a root near by that has both.
    """
    archives = {IMAGE_FOLDER: "leftImg8bit_trainvaltest.zip", label_folder: label_archive}
    missing = [name for name in archives if not is_folder(root / name)]
    if not missing:
        return
    for near in [*root.absolute().parents[:3], *(path for path in entries(root) if is_folder(path))]:
        if all(is_folder(near / name) for name in archives):
            cure = f"Use the root {near} instead."
            break
    else:
        cure = f"Unpack {' and '.join(archives[name] for name in missing)} there."
    raise FileNotFoundError(
        f"The Cityscapes root {root} {described(root)}. Expected the folders {' and '.join(archives)} in it; missing: "
        f"{', '.join(missing)}. {cure}"
    )


def image_archive(folder):
    """The published archive that holds the images of a folder such as "train"."""
    return "leftImg8bit_trainextra.zip" if folder == EXTRA else "leftImg8bit_trainvaltest.zip"


def _folders(split, annotation):
    if annotation not in ANNOTATIONS:
        raise ValueError(
            f"Cityscapes has no annotation {annotation!r}. Expected one of {', '.join(ANNOTATIONS)}. Choose one."
        )
    if split not in SPLITS:
        raise ValueError(f"Cityscapes has no split {split!r}. Expected one of {', '.join(SPLITS)}. Choose one of them.")
    folders = ANNOTATIONS[annotation].folders(split)
    if not folders:
        other = "coarse" if annotation == "fine" else "fine"
        possible = [name for name in SPLITS if ANNOTATIONS[annotation].folders(name)]
        raise ValueError(
            f"Cityscapes has no {annotation} label images for the split {split!r}, only {other} ones. Expected one of "
            f"{', '.join(possible)}. Pass annotation={other!r}, or another split."
        )
    return folders


def _pairs_of_folder(root, folder, kind):
    num_images = len(_images_of_folder(root, folder))
    listing = list_files(root, folder, kind)
    if listing.images_alone:
        first = listing.images_alone[0]
        raise FileNotFoundError(
            f"{len(listing.images_alone)} of {num_images} images in {root / IMAGE_FOLDER / folder} "
            f"have no label image. The first is {first.image}; expected its label image at {first.label}. "
            f"Unpack {kind.archive} at {root}, or remove these images."
        )
    return listing.pairs


def _images_of_folder(root, folder):
    image_root, archive = root / IMAGE_FOLDER / folder, image_archive(folder)
    if not is_folder(image_root):
        raise FileNotFoundError(
            f"There is no folder {image_root}; {image_root.parent} {described(image_root.parent)}. "
            f"Expected one folder a split. Unpack {archive} at {root}, or choose another split."
        )
    images = _files_of_cities(image_root, IMAGE_ENDING)
    if not images:
        raise FileNotFoundError(
            f"There is no image in {image_root}, which {described(image_root)}. Expected files named "
            f"{{city}}/{{city}}_*{IMAGE_ENDING}. Unpack {archive} at {root}."
        )
    return images


def _files_of_cities(folder, ending):
    """The files below a folder, by city and name without the ending: {"ulm/ulm_000001_000019": path}."""
    return {
        f"{city.name}/{name.removesuffix(ending)}": city / name
        for city in entries(folder)
        for name in names(city)
        if name.endswith(ending)
    }
