"""Reads folders of images and label images as a `tf.data.Dataset` of images and train ids."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from keras_hrnet.data.files.folders import find_folder_pairs
from keras_hrnet.data.files.images import check_channels
from keras_hrnet.data.files.parts import part_of
from keras_hrnet.data.label_coding import coding_of
from keras_hrnet.data.pipeline.dataset import make_dataset
from keras_hrnet.data.pipeline.loading import open_files
from keras_hrnet.data.pipeline.options import Options
from keras_hrnet.data.records.source import Records
from keras_hrnet.data_sets.classes import Classes, Color

if TYPE_CHECKING:
    import tensorflow as tf


def folders(
    images: str | os.PathLike | Sequence[str | os.PathLike],
    labels: str | os.PathLike | Sequence[str | os.PathLike] | None,
    classes: int | Sequence[str] | Classes,
    *,
    split: Literal["train", "val"] | None = None,
    val_share: float | None = None,
    palette: Sequence[Color] | None = None,
    id_map: Mapping[int, int | str] | None = None,
    ignore_label: int | Sequence[int] | None = None,
    batch_size: int = 1,
    crop_size: tuple[int, int] | None = None,
    augment: bool | None = None,
    channels: int = 3,
    class_uniform: float = 0.0,
    verify: bool = True,
    damaged: Literal["error", "skip"] = "error",
    cache: str | os.PathLike | None = None,
    seed: int = 0,
    shard: tuple[int, int] | None = None,
    deterministic: bool = True,
    num_parallel_calls: int | None = None,
    **augmentation: Any,
) -> tf.data.Dataset:
    """Makes a `tf.data.Dataset` of your own images and masks, as `cityscapes` does for Cityscapes.

    An image belongs to the mask of the same name: `photos/garden/1.jpg` to `masks/garden/1.png`. Masks are PNG, TIFF or
    BMP files that store a number for each pixel, as grayscale images of 1 to 16 bits or as palette images (the numbers
    are the palette's indices), or color pictures, which are decoded with `palette`. Images and masks are rotated
    according to their Exif data.

    Args:
        images: a folder of images (PNG, JPEG, TIFF, BMP, WebP or GIF, read as `keras_hrnet.evaluation.read_image` does)
            with any subfolders; or a pattern of their names, such as "photos/*.jpg"; or a list of files; or a folder
            that `keras-hrnet data pack` wrote.
        labels: the folder of the masks; or a pattern of their names, such as "photos/*_L.png"; or a list of files in
            the order of the images; `None` for packed images.
        classes: names of the classes, by the number in the masks; or a `Classes` with names and colors; or the number
            of classes; at most 254.
        split: "train" or "val", if `val_share` splits the images.
        val_share: share of the images to validate on, in (0, 1), such as 0.2. They are selected by name: those with the
            lowest SHA-256. Similar images, such as the frames of a video, would end up in both parts; separate these
            into two folders yourself.
        palette: `(red, green, blue)` of each class, in [0, 255], for masks that are color pictures.
        id_map: the class of each stored value: a dict of train ids, or of class names, by stored value, such as `{0:
            "background", 255: "leaf"}`; a train id of 255 ignores the value. `None` means that 0 is the first class,
            and so on. In color pictures, the stored value is the index of the color in `palette`.
        ignore_label: the stored value that is ignored, or a sequence of them; `None` means 255, unless `id_map` makes
            it a class. In batches, ignored pixels are always 255.
        batch_size: number of images in a batch, over all processes. Batches of several whole images require images of
            the same size.
        crop_size: `(height, width)` of training images, in pixels; `None` keeps the size of each image; the images of a
            batch must then have the same size. Evaluation data is not cropped.
        augment: whether this is training data: shuffled, augmented at random, and in full batches. `None` means True if
            `split` is "train", or if `crop_size` is given without `split`.
        channels: 3 to read images as RGB; 1 to read them as grayscale; or the number of channels that all images have,
            such as 4 for RGBA in PNG files, to read them as stored. Training augments colors only of RGB images.
        class_uniform: share of a training epoch, in [0, 1], whose crops are drawn around points of each class in turn.
        verify: whether to read all files once, to find damaged files and unknown values before training.
        damaged: what to do with files that cannot be used: "error" stops at the first one, "skip" leaves out the image
            and its mask, with one warning that counts and names them.
        cache: the place to keep decoded pixels: "memory", or a folder, which later runs can reuse; `None` means no
            cache.
        seed: integer that determines order and augmentation.
        shard: `(index, count)`, the index of this process and the number of processes; `None` uses the running
            distribution.
        deterministic: whether batches keep their order; `False` yields images as soon as they are ready.
        num_parallel_calls: number of images that are prepared at the same time; `None` means two for each core.
        **augmentation: fields of `Augmentation`, such as `scales=(0.5, 2.0)` or `rotation=10`; by default, training
            images are augmented as in the published Cityscapes recipe.

    Returns:
        A `tf.data.Dataset` of known length with batches `(image, label)`: uint8 `(batch, height, width, channels)`, RGB
        or other channels in [0, 255], and uint8 `(batch, height, width)`, train ids with 255 for ignored pixels. Its
        attribute `classes`, a `keras_hrnet.data_sets.Classes`, has the names and colors of the classes; `fingerprint`
        is the same for copies of the same files; for whole images in order, `image_names` lists their names.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if an argument or a file cannot be used.
        FileNotFoundError: if a folder or a mask is missing.

    Example:

    ```python
    names = ("background", "leaf", "flower")
    train = folders("photos/train", "masks/train", names, batch_size=8, crop_size=(256, 512))
    val = folders("photos/val", "masks/val", names)
    ```

    or, for photos in one folder with masks such as `IMG_L.png` next to `IMG.jpg`:

    ```python
    shared = {"images": "photos/*.jpg", "labels": "photos/*_L.png", "classes": names, "val_share": 0.2}
    train = folders(**shared, split="train", batch_size=8, crop_size=(256, 512))
    val = folders(**shared, split="val")
    ```
    """
    part = part_of(split, val_share)
    coding = coding_of(classes, palette=palette, id_map=id_map, ignore_label=ignore_label)
    options = Options(
        augment=(crop_size is not None if part is None else split == "train") if augment is None else augment,
        augmentation=augmentation,
        batch_size=batch_size,
        crop_size=crop_size,
        channels=channels,
        class_uniform=class_uniform,
        cache=cache,
        seed=seed,
        shard=shard,
        deterministic=deterministic,
        num_parallel_calls=num_parallel_calls,
    )
    source = _open(images, labels, part, channels, known=coding.label_values, verify=verify, damaged=damaged)
    description = str(images) if isinstance(images, str | os.PathLike) else f"{len(source.names)} files"
    return make_dataset(source, coding, options, description=description)


def _open(images, labels, part, channels, *, verify, **options):
    if labels is not None:
        pairs = find_folder_pairs(images, labels, part)
        if channels not in (1, 3):
            check_channels([pair.image for pair in pairs], channels)
        return open_files(pairs, verify=verify, **options)
    if part is not None:
        raise ValueError(
            f"Received val_share={part.val_share} for the packed images in {images}. Expected images and masks. Pack "
            "them with `keras-hrnet data pack --val-share`, and pass its folders `train` and `val`."
        )
    return Records(images, verify=verify)
