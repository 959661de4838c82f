"""Finds a published weight file for a network, by its name, or by a file on disk."""

import functools
import hashlib
import importlib.resources
import os
import pathlib

from keras_hrnet.checkpoints.published.row import PublishedWeights
from keras_hrnet.checkpoints.published.table import read_table
from keras_hrnet.mistaken import check_not_mistaken
from keras_hrnet.suggestion import suggestion

TABLES = ("segmentation.toml", "mmsegmentation.toml", "hrformer.toml", "lite_hrnet.toml", "imagenet.toml")


@functools.cache
def published_weights() -> tuple[PublishedWeights, ...]:
    """Lists the published weight files that the networks of this package can load.

    Returns:
        The rows, with files for segmentation first.

    Example:

    >>> from keras_hrnet.checkpoints.published import published_weights
    >>> [row.score for row in published_weights() if row.name == "mmseg_ocr_hr48_cityscapes_160k"]
    ['81.35 mIoU, val']
    """
    folder = importlib.resources.files("keras_hrnet.checkpoints.published")
    return tuple(row for name in TABLES for row in read_table(folder.joinpath(name).read_text(encoding="utf-8"), name))


def find(weights: str, variant: str, head: str | None, num_classes: int) -> PublishedWeights:
    """Finds the published file for a network.

    If a data set has several files, this is the first that can be downloaded and whose SHA-256 is stated, at least in
    part; otherwise the first that can be downloaded; otherwise the first. The best file of each publisher comes first.

    Args:
        weights: a data set, such as "cityscapes", or the name of a published file, as listed here or as published.
        variant: the network, such as "HRNetW48".
        head: its head; None accepts files with any head, for their backbone.
        num_classes: its number of classes.

    Returns:
        A file that fits the network; for "imagenet" and "coco_keypoints", at least the backbone fits.

    Raises:
        ValueError: if there is no such data set or file, or it is for another network, head or number of classes. The
            message lists the files that exist.
    """
    rows = published_weights()
    if weights in {row.dataset for row in rows}:
        row = _best([row for row in rows if row.dataset == weights], weights, variant, head, num_classes)
    else:
        row = next((row for row in rows if weights == row.name), None) or _by_file(rows, weights)
        if row is None:
            raise ValueError(_unknown(rows, weights))
    _check_fit(row, weights, variant, head, num_classes)
    return row


def check_exists(weights: str) -> None:
    """Refuses weights that are neither published nor a file, before importing, downloading or building anything.

    Args:
        weights: a data set, such as "cityscapes", the name of a published file, or a path.

    Raises:
        ValueError: if there is no such data set or published file, or the file is a web page or a Git LFS pointer.
        FileNotFoundError: if `weights` is a path to a file that does not exist.
    """
    rows, path = published_weights(), pathlib.Path(weights)
    if path.is_file():
        check_not_mistaken(path)
    elif weights not in {name for row in rows for name in (row.dataset, row.name, row.file)}:
        if path.name == weights and not path.suffix:
            raise ValueError(_unknown(rows, weights))
        raise FileNotFoundError(f"Received the weights {weights!r}. Expected a file there. Check the path.")


def identify(path: str | os.PathLike) -> PublishedWeights | None:
    """Identifies a file on disk by its name or SHA-256, and returns its row; None if it is not published."""
    path, rows = pathlib.Path(path), published_weights()
    in_cache = (row for row in rows if (row.name, row.file) == (path.parent.name, path.name))
    return next(in_cache, None) or _by_file(rows, path.name) or (_by_sha256(rows, path) if path.is_file() else None)


def sha256_of(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _by_file(rows, file):
    """Finds a row by the name of its file, unless files for several networks have that name."""
    found = [row for row in rows if row.file == file]
    return found[0] if len({(row.variant, row.head, row.dataset) for row in found}) == 1 else None


def _by_sha256(rows, path):
    size = path.stat().st_size
    stated = [row for row in rows if row.verification != "nothing" and row.size in (None, size)]
    digest = sha256_of(path)
    return next((row for row in stated if digest.startswith(row.sha256 or row.sha256_start)), None)


def _best(rows, weights, variant, head, num_classes):
    fitting = [row for row in rows if row.variant == variant and _head_fits(row, head)]
    if not fitting:
        raise ValueError(_none_for(rows, weights, variant, head))
    classes = [row for row in fitting if row.num_classes == num_classes] or fitting
    return min(classes, key=lambda row: (row.channel_order != "RGB", row.url is None, row.verification == "nothing"))


def _head_fits(row, head):
    if row.is_for_pixels:
        return head in (None, row.head)
    return head != "classification" or row.head == head


def _check_fit(row, weights, variant, head, num_classes):
    received = f"Received weights={weights!r} for {variant} with head={head!r}, num_classes={num_classes}."
    load = f'keras_hrnet.load_checkpoint(model, keras_hrnet.checkpoints.download("{row.name}")'
    if row.variant != variant:
        raise ValueError(f"{received} Expected {row.variant}, for which they were made. Build that network.")
    if not _head_fits(row, head):
        raise ValueError(
            f"{received} Expected head={row.head!r}, for which they were made. Build that head, or build this one "
            f"without weights and load only the backbone: {load}, skip_head=True)"
        )
    uses_head = head is not None and (row.is_for_pixels or head == row.head)
    if uses_head and row.num_classes != num_classes:
        raise ValueError(
            f"{received} Expected num_classes={row.num_classes}, as in {row.file}. Pass num_classes={row.num_classes}, "
            f"or build without weights and load only the backbone: {load}, skip_head=True)"
        )
    if row.channel_order != "RGB":
        raise ValueError(
            f"{received} Expected weights for RGB pixels; {row.file} is for {row.channel_order}. Build without "
            f"weights, call {load}), and pass images with reversed channels, images[..., ::-1]."
        )


def _none_for(rows, weights, variant, head):
    heads = sorted({row.head for row in rows if row.head is not None and row.is_for_pixels})
    lists = [f"head={name!r}: {', '.join(sorted({row.variant for row in rows if row.head == name}))}" for name in heads]
    if not lists:
        variants = ", ".join(sorted({row.variant for row in rows}))
        return f"Received weights={weights!r} for {variant}. Expected one of {variants}. Build one of them."
    return (
        f"Received weights={weights!r} for {variant} with head={head!r}. Expected a network that has such weights "
        f"({'; '.join(lists)}). Build one of those, or start from weights='imagenet'."
    )


def _unknown(rows, weights):
    datasets = sorted({row.dataset for row in rows})
    known = [*datasets, *(row.name for row in rows), *(row.file for row in rows)]
    advice = suggestion(repr(str(weights)), map(repr, known), number=3) or " Pass one of them."
    return (
        f"Received weights={weights!r}. Expected a data set ({', '.join(datasets)}), the name of a published file (see "
        f"`keras-hrnet info --weights`), or a path.{advice}"
    )
