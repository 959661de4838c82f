"""Reads Cityscapes as a `tf.data.Dataset` of images and train ids."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.label_coding import coding_of_data_set
from keras_hrnet.data.pipeline.dataset import make_dataset
from keras_hrnet.data.pipeline.loading import open_files
from keras_hrnet.data.pipeline.options import Options
from keras_hrnet.data.pipeline.sources import Joined, Source
from keras_hrnet.data.records.layout import default_annotation, is_packed, split_folders
from keras_hrnet.data.records.source import Records
from keras_hrnet.data_sets.cityscapes import CITYSCAPES

if TYPE_CHECKING:
    import tensorflow as tf

TRAINING_SPLITS = ("train", "trainval", "train_extra")


def cityscapes(
    root: str | os.PathLike,
    split: str,
    *,
    batch_size: int = 1,
    crop_size: tuple[int, int] | None = None,
    augment: bool | None = None,
    annotation: Literal["fine", "coarse"] | None = None,
    class_uniform: float = 0.0,
    coarse: float = 0.0,
    verify: bool = True,
    damaged: Literal["error", "skip"] = "error",
    cache: str | os.PathLike | None = None,
    seed: int = 0,
    shard: tuple[int, int] | None = None,
    deterministic: bool = True,
    num_parallel_calls: int | None = None,
    **augmentation: Any,
) -> tf.data.Dataset:
    """Makes a `tf.data.Dataset` of Cityscapes, for `fit`, `evaluate` and `predict` on every backend.

    Training data (`augment`) is reshuffled in every epoch, and scaled, cropped and flipped at random. Batches are
    always full: images that do not fill the last batch are dropped, different ones in each epoch. Evaluation data
    consists of whole images in the order of their names, and nothing is dropped. Label ids are mapped to train ids
    while reading, so the files can stay as they were downloaded.

    Each iteration over the dataset is one epoch. Its order and its crops depend only on `seed`, the number of the epoch
    and the image, and never on threads. If Keras reads a first batch to build a model, that counts as an epoch.

    All files are checked first by decoding them: 100 pairs of 2048x1024 take 6 s of processor time. Files that pass
    this check can be read in training. With `verify=False`, only names, sizes and pixel formats are checked (0.01 s).

    If several processes train together, each reads its own part of every batch, and together they read what one process
    would read. In evaluation, each of them gets the same number of full batches; the last ones are padded with black
    images whose labels are ignored.

    Args:
        root: the folder that holds `leftImg8bit` and `gtFine`, or the one that `keras-hrnet data pack` wrote.
        split: "train", "val", "test", "trainval" for train and val together, or "train_extra", which has only coarse
            annotations. The labels of "test" are dummies.
        batch_size: number of images in a batch, over all processes. Batches of several whole images require images of
            the same size.
        crop_size: `(height, width)` of training images, in pixels; `None` keeps the size of each image. Evaluation data
            is not cropped.
        augment: whether this is training data; `None` means True for "train", "trainval" and "train_extra".
        annotation: "fine" or "coarse"; `None` means coarse for "train_extra", and fine for all other splits.
        class_uniform: share of a training epoch, in [0, 1], whose crops are drawn around points of each class in turn,
            so that they show rare classes as often as common ones. The points are computed once, in about 75 ms of CPU
            time per image of 2048x1024, and stored in the Keras folder.
        coarse: share of a training epoch, in [0, 1], that is drawn from the coarsely annotated images of "train_extra".
        verify: whether to read all files once, to find damaged files and unknown label ids before training.
        damaged: what to do with files that cannot be used: "error" stops at the first one, "skip" leaves out the image
            and its label, with one warning that counts and names them.
        cache: the place to keep decoded pixels, 8 MiB for a pair of 2048x1024: "memory", or a folder, which later runs
            can reuse. Filling it takes as long as decoding all files once. `None` means no cache.
        seed: integer that determines order, crops and flips.
        shard: `(index, count)`, the index of this process and the number of processes; `None` uses the running
            distribution (JAX's processes, PyTorch's process group, or the TensorFlow strategy in whose scope this is
            called).
        deterministic: whether batches keep their order; `False` yields images as soon as they are ready, which is
            useful if some files take much longer to read than others. The images of an epoch, and their crops, stay the
            same.
        num_parallel_calls: number of images that are prepared at the same time; `None` means two for each core.
        **augmentation: fields of `Augmentation`, such as `scales=(0.5, 2.0)`, `rotation=10` or `opencv_nearest=True`;
            by default, training images are augmented as in the published recipe.

    Returns:
        A `tf.data.Dataset` of known length with batches `(image, label)`: uint8 `(batch, height, width, 3)`, RGB in [0,
        255], and uint8 `(batch, height, width)`, train ids with 255 for ignored pixels. Its attribute `classes`, a
        `keras_hrnet.data_sets.Classes`, has the names and colors of the classes; `fingerprint` is the same for copies
        of the same files; for whole images in order, `image_names` lists their names.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument or a file cannot be used.
        FileNotFoundError: if a folder or a label image is missing.

    Example:

    ```python
    train = cityscapes("data/cityscapes", "train", batch_size=12, crop_size=(512, 1024))
    val = cityscapes("data/cityscapes", "val")
    model.fit(train, validation_data=val, epochs=484)
    ```

    Reference: the scales and the crop are those of HRNet-Semantic-Segmentation, `lib/datasets/base_dataset.py`.
    """
    options = Options(
        augment=split in TRAINING_SPLITS if augment is None else augment,
        augmentation=augmentation,
        batch_size=batch_size,
        crop_size=crop_size,
        class_uniform=class_uniform,
        coarse=coarse,
        cache=cache,
        seed=seed,
        shard=shard,
        deterministic=deterministic,
        num_parallel_calls=num_parallel_calls,
    )
    checks = {"verify": verify, "damaged": damaged}
    source, num_coarse_images = open_split(root, split, annotation, **checks), 0
    if options.coarse:
        extra = open_split(root, "train_extra", "coarse", **checks)
        source, num_coarse_images = Joined(source, extra), len(extra.sizes)
    coding, description = coding_of_data_set(CITYSCAPES), f"the split {split!r}"
    numbers = {"num_coarse_images": num_coarse_images, "is_annotated": split != "test"}
    return make_dataset(source, coding, options, description=description, **numbers)


def open_split(
    root: str | os.PathLike,
    split: str,
    annotation: Literal["fine", "coarse"] | None = None,
    *,
    verify: bool = True,
    damaged: Literal["error", "skip"] = "error",
) -> Source:
    """Opens the files of a split, or its records.

    Args:
        root: the folder that holds `leftImg8bit`, or the one that `keras-hrnet data pack` wrote.
        split: see `cityscapes`.
        annotation: see `cityscapes`.
        verify: see `cityscapes`.
        damaged: see `cityscapes`. Records are always usable, because files are checked when they are packed.
    """
    if is_packed(root):
        return Records(*split_folders(root, split, annotation).values(), verify=verify)
    pairs = find_pairs(root, split, annotation or default_annotation(split))
    return open_files(pairs, known=CITYSCAPES.label_values, verify=verify, damaged=damaged)
