"""The layout of the records of Cityscapes: a folder for each split, in a separate root."""

import os
from pathlib import Path

from keras_hrnet.data.records.manifest import MANIFEST_NAME, SHARD_START
from keras_hrnet.data_sets.cityscapes import ANNOTATIONS, EXTRA
from keras_hrnet.picture_files.listing import entries, is_folder


def default_annotation(split: str) -> str:
    """Returns the annotation with which a split is read by default: fine, if the split has it."""
    return "coarse" if split == EXTRA else "fine"


def split_folders(root: str | os.PathLike, split: str, annotation: str | None = None) -> dict[str, Path]:
    """Returns the folders of records that make up a split.

    Args:
        root: the folder that was packed to; it need not exist.
        split: "train", "val", "test", "trainval" or "train_extra".
        annotation: "fine" or "coarse"; `None` means the default of the split.

    Returns:
        A dictionary from the name of each folder of Cityscapes, such as "train", to the `Path` of its records:
        `root/train`, or `root/train_coarse` for the coarse annotation of a split that also has a fine one.

    Raises:
        ValueError: if there is no such split with this annotation.
    """
    annotation = annotation or default_annotation(split)
    if annotation not in ANNOTATIONS or split not in ANNOTATIONS[annotation].splits:
        expected = "; ".join(f"{name}: {', '.join(data_set.splits)}" for name, data_set in ANNOTATIONS.items())
        raise ValueError(
            f"Cityscapes has no split {split!r} with the annotation {annotation!r}. Expected one of these: {expected}. "
            f"Choose one."
        )
    return {
        part: Path(root, part if annotation == default_annotation(part) else f"{part}_{annotation}")
        for part in ANNOTATIONS[annotation].parts_of(split)
    }


def is_packed(root: str | os.PathLike) -> bool:
    """Whether a folder, or a folder directly in it, holds records, finished or not; it need not exist."""
    root = Path(root)
    return any(holds_records(folder) for folder in (root, *filter(is_folder, entries(root))))


def holds_records(folder: Path) -> bool:
    """Whether a folder itself holds records, finished or not."""
    return any(path.name == MANIFEST_NAME or path.name.startswith(SHARD_START) for path in entries(folder))
