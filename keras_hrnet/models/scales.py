"""Runs a hierarchical network at other scales than those that it was built for."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_hrnet.heads import Hierarchical
from keras_hrnet.heads.hierarchical import blend_scales, check_image_size
from keras_hrnet.layers import ScaleAttention
from keras_hrnet.models.border import to_channels_last
from keras_hrnet.models.building import model_of


def with_scales(model: keras.Model, scales: Sequence[float]) -> keras.Model:
    """Builds a model that runs a hierarchical network at other scales, with the same weights.

    The authors evaluate a network that was trained at 0.5 and 1 at the scales 0.5, 1 and 2. The cost of an image is
    then proportional to the sum of the squares of the scales, here 5.25 times that of one pass.

    Args:
        model: a network of this package with `head="hierarchical"`.
        scales: factors of the image's height and width, which include 1.

    Returns:
        A model from the same images to logits of the same shape. It shares its layers with `model`: training or
        loading weights in one changes the other.

    Raises:
        ValueError: if `model` has another head, or `scales` are not positive numbers that include 1.

    Example:

    >>> import keras_hrnet
    >>> variant = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    >>> model = keras_hrnet.HRNet(variant, 5, head="hierarchical", ocr_channels=(8, 4), data_format="channels_last")
    >>> keras_hrnet.with_scales(model, (0.5, 1.0, 2.0)).output_shape
    (None, None, None, 5)
    """
    names = {layer.name for layer in getattr(model, "layers", ())}
    if not {"network", "scale_attn"} <= names:
        raise ValueError(
            f"`with_scales` received the model {getattr(model, 'name', model)!r}, which runs at one scale. Expected a "
            "network with head='hierarchical'. Build one, or pass `scales` to `keras_hrnet.evaluate`, which averages "
            "over scales with any network."
        )
    data_format = "channels_first" if "to_channels_last" in names else "channels_last"
    parts = model.get_layer("network"), model.get_layer("scale_attn")
    scaled = hierarchical_model(*parts, scales, model.input_shape[1:], data_format, model.name)
    scaled.classes = model.classes
    return scaled


def hierarchical_model(
    network: keras.Model,
    attention: ScaleAttention,
    scales: Sequence[float],
    input_shape: tuple[int | None, ...],
    data_format: str,
    name: str,
) -> keras.Model:
    """Builds a `SupervisedModel` that runs a network at several scales, from images to logits of the same size.

    Args:
        network, attention, scales: as in `blend_scales`.
        input_shape: shape of an image, without the batch, with None for a size that is not fixed.
        data_format: "channels_last" or "channels_first", for images and logits.
        name: name of the model.

    Raises:
        ValueError: if the scales are not positive numbers that include 1, or the image is too small for them.
    """
    scales = Hierarchical(scales=scales).scales
    image = keras.Input(input_shape, name="image")
    channels_last = to_channels_last(image, data_format)
    check_image_size(channels_last, scales)
    return model_of(image, *blend_scales(channels_last, network, attention, scales), data_format, name)
