"""The interface of a network: the layout of its images, its number of classes, and the sizes that it supports."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_hrnet.architecture import MIN_SIZE
from keras_hrnet.checkpoints.convention import convention_of_model
from keras_hrnet.layers import Normalize, Rescale
from keras_hrnet.layers.stem import Stem

if TYPE_CHECKING:
    from keras_hrnet.data_sets import Classes


class ForeignNetwork(abc.ABC):
    """A network outside Keras, such as an exported file, which can predict and be evaluated like a Keras model.

    The network accepts images with channels last, RGB in [0, 255] or values in the unit that it was trained with. It
    returns logits, channels last, or labels for each pixel.

    Attributes:
        name: name in reports.
        inputs: one symbolic batch of images, with None for a size that is not fixed.
        outputs: one symbolic batch of logits or labels.
        layers: empty, because layers cannot be inspected.
        classes: the classes, if they are known.
        convention: the result of `resize_convention` for the network.
        takes_pixels: whether the network accepts pixels in [0, 255], and not values in another unit.
    """

    name: str
    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]
    layers: Sequence[keras.layers.Layer] = ()
    classes: Classes | None = None
    convention: dict[str, Any] | None = None
    takes_pixels: bool = True

    @abc.abstractmethod
    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        """Returns logits or labels for images `(batch, height, width, channels)`."""


def check_model(model: keras.Model | ForeignNetwork) -> None:
    """Refuses a model that is not a network from images to maps of logits or labels.

    Raises:
        TypeError: if `model` is not a built Keras model with one input and one output.
        ValueError: if its input is not a batch of images, or its output is neither a map of logits nor a map of labels.
    """
    if not isinstance(model, keras.Model | ForeignNetwork):
        raise TypeError(
            f"Received a model of type {type(model).__name__}. Expected a keras.Model. Pass a model, for example "
            "keras_hrnet.HRNetW18()."
        )
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs or len(inputs) != 1 or len(outputs) != 1:
        raise TypeError(
            f"Received the model {model.name!r} with {len(inputs or ())} inputs and {len(outputs or ())} outputs. "
            "Expected a built functional model from one batch of images to one tensor. Pass a network with a head, or "
            "wrap yours: keras.Model(inputs, logits)."
        )
    data_format(model)
    rank = len(outputs[0].shape)
    if rank != (3 if returns_labels(model) else 4):
        raise ValueError(
            f"Received the model {model.name!r} with an output of shape {tuple(outputs[0].shape)}. Expected logits "
            "(batch, height, width, num_classes). Build it with a segmentation head, for example head='fcn'."
        )


def data_format(model: keras.Model) -> str:
    """Returns the data format of a model's images: "channels_last" or "channels_first".

    Raises:
        ValueError: if its input is not a batch of images with a known number of channels.
    """
    return "channels_last" if tuple(model.inputs[0].shape)[-1] == num_channels(model) else "channels_first"


def num_channels(model: keras.Model | ForeignNetwork) -> int:
    """Returns the number of channels of a model's images: 3 for RGB.

    If the layers of the model do not state the data format, this is the smaller of the lengths of the last and the
    second axis.

    Raises:
        ValueError: if its input is not a batch of images with a known number of channels.
    """
    shape = tuple(model.inputs[0].shape)
    lengths = [shape[axis] for axis in (-1, 1) if len(shape) == 4 and shape[axis] is not None]
    if not lengths:
        raise ValueError(
            f"Received the model {model.name!r} with an input of shape {shape}. Expected RGB images (batch, height, "
            "width, 3), or (batch, 3, height, width), or another known number of channels. Build it with "
            "input_shape=(None, None, 3)."
        )
    if 3 in lengths:
        return 3
    normalize = normalization_of(model)
    return normalize.channels if normalize else min(lengths)


def normalization_of(model: keras.Model | ForeignNetwork) -> Normalize | None:
    """Returns the layer with which a network normalizes its images; None if there is no such layer."""
    return next((layer for layer in layers_of(model) if isinstance(layer, Normalize)), None)


def returns_labels(model: keras.Model) -> bool:
    """Returns whether a model returns labels (integers) rather than logits."""
    return "int" in keras.utils.standardize_dtype(model.outputs[0].dtype)


def num_classes(model: keras.Model) -> int:
    """Returns the number of logits that a model computes for each pixel, or for an image.

    Raises:
        ValueError: if the model does not state the number of classes.
    """
    if returns_labels(model):
        raise ValueError(
            f"Received the model {model.name!r}, which returns labels, without class_names. Expected the names of its "
            "classes, because labels do not show the number of classes. Set model.classes to the names, or pass the "
            "model that returns logits."
        )
    shape = model.outputs[0].shape
    count = shape[channel_axis_of(model) if len(shape) == 4 else -1]
    if count is None:
        raise ValueError(
            f"Received the model {model.name!r} with an output of shape {tuple(model.outputs[0].shape)}. Expected a "
            "known number of classes. Build it with num_classes."
        )
    return count


def label_dtype(count: int) -> str:
    """Returns the dtype of the labels of `count` classes: "uint8" up to 255 classes, else "int32"."""
    return "uint8" if count <= 255 else "int32"


def images_for(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Converts a batch of images to the layout of a model's input.

    Args:
        model: a model that `check_model` accepts.
        images: uint8 or float `(batch, height, width, channels)` or `(batch, channels, height, width)`, RGB in [0, 255]
            or the values that the network is built for.

    Returns:
        The same images, in the data format of the model.

    Raises:
        ValueError: if `images` is not a batch of such images, or does not have the size that the model was built for.
    """
    layout, channels = data_format(model), num_channels(model)
    check_images(images, channels)
    if layout == "channels_last" and images.shape[-1] != channels:
        images = np.moveaxis(images, 1, -1)
    if layout == "channels_first" and images.shape[1] != channels:
        images = np.moveaxis(images, -1, 1)
    built_for = tuple(model.inputs[0].shape)
    if any(expected not in (None, size) for expected, size in zip(built_for[1:], images.shape[1:], strict=True)):
        raise ValueError(
            f"Received images of shape {images.shape} for the model {model.name!r}. Expected shape {built_for}, which "
            "the model was built or exported for. Pass a tile of that size, resize the images, or use a network for "
            f"any size: input_shape=(None, None, {channels}), or a file that was exported without a size."
        )
    return images


def check_images(images: np.ndarray, channels: int = 3) -> None:
    """Refuses an array that is not a batch of images with this number of channels, last or first.

    Raises:
        ValueError: if there are not four axes, or neither the last nor the second axis has that length.
    """
    shape = tuple(images.shape)
    if len(shape) != 4 or channels not in (shape[1], shape[-1]):
        kind = "RGB images" if channels == 3 else "images"
        raise ValueError(
            f"Received images of shape {shape}. Expected {kind} (batch, height, width, {channels}). Batch them, for "
            "example with `dataset.batch(1)`."
        )


def takes_pixels(model: keras.Model | ForeignNetwork) -> bool:
    """Returns whether a network itself normalizes pixels in [0, 255], as networks of this package do by default."""
    if isinstance(model, ForeignNetwork):
        return model.takes_pixels
    normalize = normalization_of(model)
    return normalize is not None and normalize.is_of_pixels


def has_own_unit(model: keras.Model | ForeignNetwork) -> bool:
    """Returns whether a network normalizes with a custom mean and deviation, so that its images may have any unit."""
    if isinstance(model, ForeignNetwork):
        return not model.takes_pixels
    normalize = normalization_of(model)
    return normalize is not None and not normalize.is_of_pixels


def check_pixels(images: np.ndarray, argument: str = "images") -> None:
    """Refuses images whose values are not RGB in [0, 255], for networks that normalize their inputs.

    Normalized images have values below 0, and images divided by 255 have no values above 1. Floats up to 1 are
    therefore refused, unless all are 0; uint8 is never refused.

    Args:
        images: images of any shape.
        argument: the name of `images` in the caller.

    Raises:
        ValueError: if values are outside [0, 255], are NaN, or are floats that are all in [0, 1].
    """
    if images.dtype == np.uint8 or not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if not -0.5 <= low <= high <= 255.5:
        raise ValueError(
            f"Received {argument} with values in [{low:.3g}, {high:.3g}]. Expected RGB in [0, 255]: the network "
            "normalizes its inputs. Pass the images before any normalization."
        )
    if images.dtype.kind == "f" and 0 < high <= 1:
        raise ValueError(
            f"Received {argument} with {images.dtype} values in [{low:.3g}, {high:.3g}]. Expected RGB in [0, 255]: to "
            "the network, these images are black. Multiply them by 255. If they are really that dark, pass them as "
            "uint8."
        )


def min_image_size(model: keras.Model | ForeignNetwork) -> int:
    """Returns the minimum height and width of images for a network of this package, at its smallest scale; else 1."""
    layers = list(layers_of(model))
    if not any(isinstance(layer, Stem) for layer in layers):
        return 1
    return math.ceil(MIN_SIZE / min([1, *(layer.scale for layer in layers if isinstance(layer, Rescale))]))


def check_weights(model: keras.Model | ForeignNetwork) -> None:
    """Refuses a network with NaN or infinite weights, because it would label each pixel with the first class.

    Raises:
        ValueError: if a weight contains NaN or infinite values; the message names the weight.
    """
    for weight in getattr(model, "weights", ()):
        if "float" not in keras.utils.standardize_dtype(weight.dtype):
            continue
        values = keras.ops.convert_to_numpy(weight)
        if strange := int(np.count_nonzero(~np.isfinite(values))):
            raise ValueError(
                f"Received the model {model.name!r}, whose weight {weight.path!r} has {strange} of {values.size} "
                "values that are NaN or infinite. Expected finite numbers. Load weights that were saved before "
                "training diverged, such as best.keras in the folder of the run."
            )


def image_size(model: keras.Model, images: np.ndarray) -> tuple[int, int]:
    """Returns the (height, width) of images in the layout of the model."""
    return images.shape[1:3] if data_format(model) == "channels_last" else images.shape[2:]


def check_size(model: keras.Model, labels: np.ndarray, size: tuple[int, int]) -> None:
    """Raises a `ValueError` for labels `(batch, height, width)` of a model whose (height, width) is not `size`."""
    if labels.shape[1:] != tuple(size):
        raise ValueError(
            f"Received logits of size {labels.shape[1:]} from the model {model.name!r} for images of size "
            f"{tuple(size)}. Expected logits for each pixel. Build the model with output_stride=1."
        )


def layers_of(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model, and the layers of the models inside it."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)


def resize_convention(model: keras.Model) -> dict[str, Any] | None:
    """Returns the "interpolation" and "align_corners" by which a network upsamples maps; None if no layer states it."""
    if isinstance(model, ForeignNetwork):
        return model.convention
    found = convention_of_model(model)
    return found and {"interpolation": found.interpolation, "align_corners": bool(found.align_corners)}


def channel_axis_of(model: keras.Model) -> int:
    """Returns the axis of the channels of a model's images: -1 or 1."""
    return -1 if data_format(model) == "channels_last" else 1
