"""The two annotations of Cityscapes, and their splits."""

import os
from pathlib import Path

from keras_hrnet.data.files.pairs import Pair
from keras_hrnet.data.files.splits import find_split_pairs
from keras_hrnet.data_sets import DataSet
from keras_hrnet.data_sets.cityscapes import ANNOTATIONS


def find_pairs(root: str | os.PathLike, split: str, annotation: str = "fine") -> list[Pair]:
    """Finds the images of a split and their label images, as `find_split_pairs` does.

    Args:
        root: the folder that holds `leftImg8bit`, and `gtFine` or `gtCoarse`.
        split: "train", "val", or "trainval" for both together; also "test" of the fine and "train_extra" of the
            coarse annotation.
        annotation: "fine" or "coarse".

    Raises:
        ValueError: if there is no such split, or not with this annotation.
        FileNotFoundError: if the root, a folder of the split, its images or a label image is missing.
        PermissionError: if a folder cannot be read.
    """
    return find_split_pairs(Path(root), _annotated(split, annotation), split)


def _annotated(split: str, annotation: str) -> DataSet:
    if annotation not in ANNOTATIONS:
        raise ValueError(
            f"Cityscapes has no annotation {annotation!r}. Expected one of {', '.join(ANNOTATIONS)}. Choose one."
        )
    data_set = ANNOTATIONS[annotation]
    for other, has in ANNOTATIONS.items():
        if split in has.splits and split not in data_set.splits:
            raise ValueError(
                f"Cityscapes has no {annotation} label images for the split {split!r}, only {other} ones. Expected one "
                f"of {', '.join(data_set.splits)}. Pass annotation={other!r}, or another split."
            )
    return data_set
