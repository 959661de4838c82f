"""Finds problems that would spoil a run, before its first step."""

import warnings
from typing import Any

import keras
import numpy as np

from keras_hrnet.data_sets import Classes
from keras_hrnet.distributed.processes import num_devices, this_process
from keras_hrnet.distributed.workers import in_strategy_of_workers
from keras_hrnet.layers import BatchNorm
from keras_hrnet.layers.sublayers import sublayers
from keras_hrnet.models import classes_of
from keras_hrnet.models.interface import (
    channel_axis_of,
    check_model,
    check_pixels,
    data_format,
    has_own_unit,
    image_size,
    min_image_size,
    num_channels,
    returns_labels,
)
from keras_hrnet.training.classes import common_classes
from keras_hrnet.training.recipe import Recipe
from keras_hrnet.training.remaining import remaining

MOST_LISTED = 5


def check_training(model: keras.Model, train: Any, val: Any) -> Classes:
    """Refuses networks and data that do not match, and warns of classes that do not occur in the training labels.

    The files of `cityscapes` and `folders` were checked when the data sets were made; for other data, the first batch
    is checked.

    Args:
        model: a network that returns logits.
        train: batches `(image, label)`, whose number is known.
        val: batches `(image, label)`.

    Returns:
        The classes that network and data have in common: see `common_classes`.

    Raises:
        TypeError: if `model` is not a Keras model, the training data has no length, or labels are not integers.
        ValueError: if images, labels or classes do not match the network.
    """
    check_model(model)
    if val is None:
        raise ValueError(
            "Received val=None. Expected validation data, by which the best network is selected. Hold out some "
            "images: `folders(..., val_share=0.2, split='val')` returns a fifth of your own images. Otherwise, pass "
            "the training images without augmentation, and do not rely on the score."
        )
    if returns_labels(model):
        raise ValueError(
            f"Received the model {model.name!r}, which returns labels. Expected logits, because labels have no "
            "gradient. Pass the network from which the labels were derived."
        )
    _check_length(train)
    classes = common_classes(model, train, val)
    for name, dataset in (("train", train), ("val", val)):
        _check_channels(name, dataset, model)
        _check_sizes(name, dataset, model)
        if fingerprint_of(dataset) is None:
            _check_batch(name, _first_batch(name, dataset), model, classes)
    if warning := getattr(train, "warning", None):
        warnings.warn(warning, stacklevel=3)
    return classes


def check_loss(loss: keras.losses.Loss) -> None:
    """Refuses a loss that treats the network's logits as probabilities.

    Raises:
        TypeError: if it is not a loss.
        ValueError: if it has `from_logits=False`.
    """
    if not isinstance(loss, keras.losses.Loss):
        raise TypeError(
            f"Received a loss of type {type(loss).__name__}. Expected a name as in recipes, or a `keras.losses.Loss`. "
            "Pass loss='ohem', for example."
        )
    if loss.get_config().get("from_logits") is False:
        raise ValueError(
            f"Received the loss {loss.name!r} with from_logits=False. Expected from_logits=True, because the network "
            "returns logits, without a softmax. Make the loss with from_logits=True."
        )


def fingerprint_of(dataset: Any) -> str | None:
    """Returns the fingerprint of its files that a data set of `cityscapes` or `folders` records; None for others."""
    # A plain `tf.data.Dataset` has a method with the same name.
    fingerprint = getattr(dataset, "fingerprint", None)
    return fingerprint if isinstance(fingerprint, str) else None


def fault_of(dataset: Any, epoch: int, step: int, model: keras.Model) -> str | None:
    """Describes what in the data makes the loss of a step NaN; returns None if nothing is found.

    Args:
        dataset: the training data.
        epoch: number of complete epochs.
        step: index of the step in the next epoch, from 0.
        model: the network.
    """
    is_indexed = isinstance(dataset, keras.utils.PyDataset)
    batch = dataset[step] if is_indexed else next(iter(remaining(dataset, epoch, step)[0]), None)
    if batch is None:
        return None
    images, labels = (keras.ops.convert_to_numpy(part) for part in batch[:2])
    classes = classes_of(model)
    num_classes, ignore_label = len(classes.names), classes.ignore_label
    if not np.isfinite(images).all():
        return "its images have NaN or infinite pixels"
    foreign = labels[(labels != ignore_label) & ((labels < 0) | (labels >= num_classes))]
    if foreign.size:
        return f"its labels have {foreign.flat[0]}, which is not one of {num_classes} classes"
    return None


def batch_size_of(dataset: Any) -> int | None:
    """Returns the number of images in a batch of a `tf.data.Dataset`, over all processes; None if unknown."""
    size = next(iter(_known_shape(dataset)), None)
    return None if size is None else size * this_process().count


def batch_shape_of(model: keras.Model, dataset: Any) -> tuple[int, int, int]:
    """Returns the number of images in a batch, over all processes, and their height and width."""
    shape = _known_shape(dataset)
    if None in shape or not shape:
        shape = tuple(_first_batch("train", dataset)[0].shape)
    height, width = shape[1:3] if data_format(model) == "channels_last" else shape[2:4]
    return shape[0] * this_process().count, height, width


def check_devices(model: keras.Model, train: Any, val: Any, recipe: Recipe) -> None:
    """Refuses networks, data and settings with which several devices would train differently from one device.

    Args:
        model: the network.
        train: training data.
        val: validation data.
        recipe: the recipe.

    Raises:
        ValueError: if a layer normalizes by the statistics of only one replica, statistics are estimated for averaged
            weights, the policy scales losses, batches cannot be split evenly, or a TensorFlow strategy of several
            processes is not that of `distributed`.
    """
    count = num_devices()
    if count == 1:
        return
    on_tensorflow = keras.config.backend() == "tensorflow"
    if on_tensorflow and this_process().count > 1 and not in_strategy_of_workers():
        raise ValueError(
            f"Received a TensorFlow strategy of {this_process().count} processes. Expected the strategy of "
            "`distributed`, because Keras's `fit` fails under others. Enter "
            "keras_hrnet.training.distributed(hosts=..., process=...) instead."
        )
    for name, dataset in (("train", train), ("val", val)):
        size = batch_size_of(dataset)
        if size is not None and size % count:
            raise ValueError(
                f"Received batches of {size} images in `{name}` for {count} devices. Expected a multiple of the "
                "number of devices, because each batch is split across them. Make the data with "
                f"batch_size={max(1, size // count) * count}."
            )
    if recipe.ema is not None and recipe.norm_batches:
        raise ValueError(
            f"Received norm_batches={recipe.norm_batches} with ema={recipe.ema} for {count} devices. Expected 0, "
            "because only a single device can estimate the statistics of averaged weights. Pass norm_batches=0; on "
            "the command line, --set norm_batches=0."
        )
    # On JAX, everything is computed for the whole batch.
    if keras.config.backend() == "jax":
        return
    if model.dtype_policy.name == "mixed_float16":
        raise ValueError(
            f"Received a network of mixed_float16 for {count} devices. Expected float32 or mixed_bfloat16: each "
            "device detects overflowing gradients only for itself. Build it with dtype='mixed_bfloat16'."
        )
    for layer in [] if recipe.freeze_norm else sublayers(model):
        is_norm = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        is_whole = isinstance(layer, BatchNorm) or (is_norm and on_tensorflow and layer.synchronized)
        if is_norm and not is_whole:
            raise ValueError(
                f"Received the layer {layer.name!r}, a keras.layers.BatchNormalization, for {count} devices. Expected "
                "normalization over the whole batch. Use keras_hrnet.layers.BatchNorm, or freeze_norm=True."
            )


def _known_shape(dataset):
    """Returns the shape of a batch of images of a `tf.data.Dataset`, with None for lengths that vary; () for others."""
    spec = getattr(dataset, "element_spec", None)
    return tuple(spec[0].shape) if isinstance(spec, tuple) else ()


def _check_channels(name, dataset, model):
    shape = _known_shape(dataset)
    channels, expected = shape[channel_axis_of(model)] if len(shape) == 4 else None, num_channels(model)
    if channels not in (None, expected):
        raise ValueError(
            f"Received images of {channels} channels in `{name}` for the network {model.name!r}. Expected {expected}. "
            f"Make the data with channels={expected}, or build the network for images of {channels}."
        )


def _check_sizes(name, dataset, model):
    """Checks the size of all batches if it is fixed, otherwise the sizes of the images."""
    shape = _known_shape(dataset)
    common = shape[1:3] if data_format(model) == "channels_last" else shape[2:4]
    for size in getattr(dataset, "image_sizes", ()) if None in common or not common else [common]:
        _check_size(name, size, model)


def _check_size(name, size, model):
    least = min_image_size(model)
    if min(size) < least:
        raise ValueError(
            f"Received images of {size[0]}x{size[1]} (height x width) in `{name}` for the network {model.name!r}. "
            f"Expected a height and width of at least {least}, because the network halves images five times at its "
            "smallest scale. Enlarge the images; for training data, pass a larger crop_size."
        )


def _check_length(train):
    try:
        length = len(train)
    except TypeError as error:
        raise TypeError(
            f"Received training data of type {type(train).__name__} whose length is not known. Expected a known "
            "number of batches, which the learning rate schedule needs. Pass a data set of `cityscapes` or "
            "`folders`, or call `dataset.apply(tf.data.experimental.assert_cardinality(n))`."
        ) from error
    if length < 1:
        raise ValueError(
            "Received training data without a batch. Expected at least one full batch. Make it with a batch_size "
            "that is at most the number of images, and check its files."
        )


def _first_batch(name, dataset):
    if isinstance(dataset, keras.utils.PyDataset):
        return dataset[0]
    try:
        return next(iter(dataset))
    except StopIteration:
        raise ValueError(f"Received the data set `{name}` without a batch. Expected at least one.") from None


def _check_batch(name, batch, model, classes):
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(
            f"Received a batch of `{name}` that is not a pair. Expected (images, labels). Map the data to such pairs."
        )
    images, labels = (keras.ops.convert_to_numpy(part) for part in batch)
    _check_images(name, images, model)
    _check_size(name, image_size(model, images), model)
    _check_labels(name, labels, image_size(model, images), classes)


def _check_images(name, images, model):
    if images.ndim != 4 or images.shape[channel_axis_of(model)] != num_channels(model):
        raise ValueError(
            f"Received images of shape {images.shape} in `{name}`. Expected {tuple(model.inputs[0].shape)}. Batch "
            "the images, and move their channels."
        )
    if not np.isfinite(images).all():
        raise ValueError(
            f"Received images with NaN or infinite pixels in `{name}`. Expected RGB in [0, 255]. Check how the "
            "images are read and processed, for example for a division by 0."
        )
    if not has_own_unit(model):
        check_pixels(images, f"images in `{name}`")


def _check_labels(name, labels, size, classes):
    if labels.dtype.kind not in "ui":
        raise TypeError(
            f"Received labels of dtype {labels.dtype} in `{name}`. Expected integers, the train ids of pixels. Convert "
            "them with `astype('uint8')`, and resize labels by nearest neighbor only."
        )
    if labels.ndim == 4 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape[1:] != tuple(size):
        raise ValueError(
            f"Received labels of shape {labels.shape} for images of {size[0]}x{size[1]} (height x width) in `{name}`. "
            "Expected (batch, height, width). Give each pixel of the image a label."
        )
    count, ignored = len(classes.names), classes.ignore_label
    foreign = [int(value) for value in np.unique(labels) if value != ignored and not 0 <= value < count]
    if foreign:
        listed = ", ".join(map(str, foreign[:MOST_LISTED])) + (", …" if len(foreign) > MOST_LISTED else "")
        raise ValueError(
            f"Received label {listed} in `{name}` for a network with {count} classes. Expected 0 to {count - 1}, or "
            f"{ignored} where a pixel is ignored. {_remedy(foreign, count, ignored)}"
        )


def _remedy(foreign, count, ignored):
    if min(foreign) < 0:
        return f"If {min(foreign)} marks ignored pixels, replace it: np.where(label < 0, {ignored}, label)."
    if len(foreign) == 1 and foreign[0] > count:
        return (
            f"If {foreign[0]} marks ignored pixels, set it: model.classes = keras_hrnet.data_sets.Classes(names, "
            f"ignore_label={foreign[0]}). Otherwise map label ids to train ids."
        )
    return f"Map label ids to train ids, or build the network with num_classes={max(foreign) + 1}."
