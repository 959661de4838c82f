"""Combines backbone, head and the user's data format, for the constructors of all families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.checkpoints.choice import ChosenWeights
from keras_hrnet.families import Family, LayerOptions
from keras_hrnet.heads import Head
from keras_hrnet.layers.normalize import normalization
from keras_hrnet.layers.resize import check_convention
from keras_hrnet.models.border import from_channels_last, to_channels_last
from keras_hrnet.models.network import Network
from keras_hrnet.models.supervised import supervised_model

_AXES = {"channels_last": "(height, width, channels)", "channels_first": "(channels, height, width)"}


def connect(
    backbone: Family,
    head: Head | None,
    num_classes: int,
    options: LayerOptions,
    *,
    input_shape: tuple[int | None, ...],
    data_format: str,
    output_stride: int,
    name: str,
) -> keras.Model:
    """Builds a functional model of a backbone and a head, or a model with four maps "P2" to "P5" if there is no head.

    Args:
        backbone, head, num_classes, options, output_stride: as in `Head.connect`.
        input_shape: shape of an image in `data_format`, without the batch.
        data_format: "channels_last" or "channels_first", for inputs and outputs.
        name: name of the model.
    """
    image = keras.Input(input_shape, name="image")
    channels_last = to_channels_last(image, data_format)

    def maps_of(pixels):
        return backbone.connect(pixels, options)

    if head is None:
        maps = {f"P{i}": x for i, x in enumerate(maps_of(channels_last), 2)}
        return Network(image, {key: from_channels_last(x, data_format, key) for key, x in maps.items()}, name=name)
    tensors, loss_weights = head.connect(channels_last, maps_of, num_classes, options, output_stride)
    return model_of(image, tensors, loss_weights, data_format, name)


def model_of(
    image: keras.KerasTensor,
    tensors: dict[str, keras.KerasTensor],
    loss_weights: Sequence[float],
    data_format: str,
    name: str,
) -> keras.Model:
    """Builds a model that returns the first of several symbolic tensors, and also trains the others, if there are any.

    Args:
        image: symbolic input in `data_format`, which is also the format of the maps that the model returns.
        tensors: by name, symbolic maps of the same shape, channels last, or logits of images.
        loss_weights: for each tensor after the first, the factor of its loss.
    """
    outputs = [in_format(x, data_format, key) for key, x in tensors.items()]
    if loss_weights:
        return supervised_model(image, outputs, loss_weights, name)
    return Network(image, outputs[0], name=name)


def in_format(x: keras.KerasTensor, data_format: str, name: str) -> keras.KerasTensor:
    """Converts a map to the user's format; logits of images are returned unchanged."""
    return from_channels_last(x, data_format, f"{name}_channels_first") if len(x.shape) == 4 else x


def resize_convention(
    backbone: Family,
    head: Head | None,
    interpolation: str | None,
    align_corners: bool | None,
    chosen: ChosenWeights | None,
) -> tuple[str, bool]:
    """Decides how maps are upsampled: as the user requests, otherwise as the weights require, otherwise as published.

    Returns:
        A pair (interpolation, align_corners).

    Raises:
        ValueError: if interpolation and align_corners conflict.
    """
    if interpolation is None:
        interpolation = chosen.interpolation if chosen else None
    if align_corners is None:
        align_corners = chosen.align_corners if chosen else None
    interpolation = interpolation or (head.interpolation if head else "bilinear")
    if align_corners is None:
        align_corners = backbone.align_corners and interpolation == "bilinear"
    check_convention(interpolation, align_corners)
    return interpolation, align_corners


def check_arguments(name: str, num_classes: int, head: Head | None, output_stride: int) -> None:
    """Raises a `ValueError` for a number of classes or an output stride that is not supported."""
    if head is not None and (not isinstance(num_classes, int) or num_classes < 2):
        # The softmax of a single logit is always 1, so that its loss is 0 and nothing is learned.
        raise ValueError(
            f"`{name}` received num_classes={num_classes!r}. Expected a whole number of at least 2: the background is "
            "also a class. Pass the number of classes in your labels, without the ignored label; for masks of one "
            "object, num_classes=2 with class_names=('background', 'object')."
        )
    if output_stride not in (1, 4):
        raise ValueError(
            f"`{name}` received output_stride={output_stride!r}. Expected 1 (logits of the image's size) or 4 (logits "
            "before they are upsampled). Pass one of them."
        )
    if head is not None and head.segments and output_stride not in head.output_strides:
        raise ValueError(
            f"`{name}` received output_stride={output_stride} with head={(head.name or head)!r}. Expected "
            f"{' or '.join(map(str, head.output_strides))}, the strides that this head supports. Leave output_stride "
            "out, or build another head."
        )


def image_shape(
    backbone: Family, input_shape: Sequence[int | None], data_format: str, argument: str = "input_shape"
) -> tuple[int | None, ...]:
    """Returns the shape of images in the order of `data_format`.

    Args:
        backbone: the row of the network.
        input_shape: as in the constructor; `(None, None, channels)` means any size in either format.
        argument: name of the argument that passes the shape, for errors.

    Raises:
        ValueError: if `input_shape` is not the shape of an image with a known number of channels, or is too small.
    """
    name, least = backbone.name, backbone.min_size
    shape = tuple(input_shape)
    if data_format == "channels_first" and shape[:2] == (None, None):
        shape = (*shape[2:], None, None)
    channels, *size = shape if data_format == "channels_first" else (shape[-1:] + shape[:-1])
    is_small = any(length is not None and length < least for length in size)
    # Such a small image with so many channels is probably in the other format.
    if len(shape) != 3 or not isinstance(channels, int) or channels < 1 or (is_small and channels >= least):
        expected = "(height, width, 3)" if data_format == "channels_last" else "(3, height, width)"
        of_other_format = shape[1:] + shape[:1] if data_format == "channels_last" else shape[-1:] + shape[:-1]
        remedy = f"Pass {argument}={of_other_format}." if len(shape) == 3 and is_small else "Pass such a shape."
        raise ValueError(
            f"`{name}` received {argument}={input_shape}. Expected {expected} for data_format={data_format!r}, or the "
            f"number of channels of your images, with None for a height or width that is not fixed. {remedy}"
        )
    if is_small:
        raise ValueError(
            f"`{name}` needs a height and width of at least {least}. Received {argument}={input_shape}, which is "
            f"{_AXES[data_format]} for data_format={data_format!r}. Enlarge the image, or pad it."
        )
    return shape


def given_statistics(
    name: str,
    shape: Sequence[int | None],
    data_format: str,
    mean: Any,
    deviation: Any,
    argument: str = "input_shape",
) -> dict[str, tuple[float, ...] | None]:
    """Returns the mean and deviation that a constructor received, as arguments of `LayerOptions`.

    Args:
        name: name of the network, for errors.
        shape: result of `image_shape`.
        data_format: "channels_last" or "channels_first".
        mean: as in the constructor.
        deviation: as in the constructor.
        argument: name of the argument that passes the shape, for errors.

    Raises:
        ValueError: as `keras_hrnet.layers.Normalize`.
    """
    channels = shape[-1 if data_format == "channels_last" else 0]
    remedy = f" If {channels} is not their number, correct {argument}={shape}, which is {_AXES[data_format]}."
    checked = normalization(channels, mean, deviation, name, remedy)
    given = {"mean": mean, "deviation": deviation}
    return {key: None if given[key] is None else x for key, x in zip(given, checked, strict=True)}
