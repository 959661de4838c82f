"""Reads any supported data set as a `tf.data.Dataset` of images and train ids."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_hrnet.data.files.splits import find_split_pairs
from keras_hrnet.data.label_coding import coding_of_data_set
from keras_hrnet.data.pipeline.dataset import make_dataset
from keras_hrnet.data.pipeline.loading import open_files
from keras_hrnet.data.pipeline.options import Options
from keras_hrnet.data.records.layout import is_packed
from keras_hrnet.data.records.source import Records
from keras_hrnet.data_sets import DataSet

if TYPE_CHECKING:
    import tensorflow as tf


def data_set(
    row: DataSet,
    root: str | os.PathLike,
    split: str,
    *,
    augment: bool | None = None,
    verify: bool = True,
    damaged: Literal["error", "skip"] = "error",
    **options: Any,
) -> tf.data.Dataset:
    """Makes a `tf.data.Dataset` of any described data set, as `cityscapes` does for Cityscapes.

    Args:
        row: description of the data set: one of `keras_hrnet.data_sets.DATA_SETS`, or a custom one.
        root: the folder that holds all files, or the one that `keras-hrnet data pack` wrote.
        split: one of `row.splits`; "trainval" is train and val together.
        augment: whether this is training data; None means True for "train" and "trainval".
        verify: whether to read all files once, to find damaged files and unknown values before training.
        damaged: what to do with files that cannot be used: "error" stops at the first one, "skip" leaves out the image
            and its label, with one warning that counts and names them.
        **options: further arguments of `folders`, such as `batch_size`, `crop_size`, or fields of `Augmentation`.

    Returns:
        The same as `cityscapes`.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument or a file cannot be used.
        FileNotFoundError: if a folder or a label image is missing.
    """
    names = {field.name for field in dataclasses.fields(Options)} - {"augmentation", "coarse"}
    options = Options(
        augment=split in ("train", "trainval") if augment is None else augment,
        augmentation={name: value for name, value in options.items() if name not in names},
        **{name: value for name, value in options.items() if name in names},
    )
    source = _open(row, Path(root), split, verify=verify, damaged=damaged)
    description = f"the split {split!r} of {row.title}"
    return make_dataset(source, coding_of_data_set(row), options, description=description, is_annotated=split != "test")


def reader_of(row: DataSet) -> Callable[..., tf.data.Dataset]:
    """Returns the function of `keras_hrnet.data` that reads a data set."""
    read = functools.partial(data_set, row)
    read.__name__ = row.name
    read.__doc__ = (
        f"Makes a `tf.data.Dataset` of {row.title}: `keras_hrnet.data.data_set(row, root, split, **options)`.\n\n"
        f"Splits: {', '.join(row.splits)}. {row.source} {row.license}"
    )
    return read


def _open(row, root, split, *, verify, damaged):
    if is_packed(root):
        return Records(*(root / part for part in row.parts_of(split)), verify=verify)
    return open_files(find_split_pairs(root, row, split), known=row.label_values, verify=verify, damaged=damaged)
