"""Hierarchical multi-scale attention: one network at several scales of an image, joined pixel by pixel."""

import math

import keras

from keras_hrnet.layers import Rescale, ScaleAttention, ScaleBlend
from keras_hrnet.layers.stem import MIN_SIZE
from keras_hrnet.models.backbone import backbone
from keras_hrnet.models.border import from_channels_last, to_channels_last
from keras_hrnet.models.heads import enlarge_logits, ocr_head
from keras_hrnet.models.supervised import AUXILIARY_LOSS_WEIGHT, supervised_model

# NVIDIA/semantic-segmentation, scripts/train_cityscapes.yml, `supervised_mscale_loss_wt`.
SCALE_LOSS_WEIGHT = 0.05


def with_scales(model, scales):
    """Runs a hierarchical network at other scales, with the same weights.

    Where a network was trained at 0.5 and 1, its authors evaluate it at 0.5, 1 and 2; an image then costs the sum of
    the squares of the scales, here 5.25 times one pass.

    Args:
        model: a network of this package with `head="hierarchical"`.
        scales: factors of the image's height and width, 1 among them.

    Returns:
        A model from the same images to logits of the same shape. It shares its layers with `model`: training or
        loading weights in one changes the other.

    Raises:
        ValueError: if `model` has another head, or `scales` are not positive numbers with 1 among them.

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
    network = model.get_layer("network")
    data_format = "channels_first" if "to_channels_last" in names else "channels_last"
    attention = model.get_layer("scale_attn")
    scaled = hierarchical_model(network, attention, scales, model.input_shape[1:], data_format, model.name)
    scaled.classes = model.classes
    return scaled


def hierarchical_model(network, attention, scales, input_shape, data_format, name):
    """Builds a model that runs a network at several scales.

    Args:
        network: as `scale_network` builds it.
        attention: a `ScaleAttention`.
        scales: factors of the image's height and width, 1 among them.
        input_shape: of an image, without the batch; None where a size is not fixed.
        data_format: "channels_last" or "channels_first": of images and logits.
        name: what the model is called.

    Returns:
        A `SupervisedModel` from images to logits of their height and width.

    Raises:
        ValueError: if the scales are not positive numbers with 1 among them, or the image is too small for them.
    """
    scales = _checked_scales(scales, input_shape, data_format, name)
    image = keras.Input(input_shape, name="image")
    tensors, loss_weights = blend_scales(to_channels_last(image, data_format), network, attention, scales)
    tensors = [from_channels_last(x, data_format, f"{i}_channels_first") for i, x in enumerate(tensors)]
    return supervised_model(image, tensors, loss_weights, name)


def scale_network(variant, num_classes, interpolation, align_corners, dtype, remat=False, **head_options):
    """Builds what runs at every scale: the backbone and the OCR head.

    Args:
        variant: a `Variant`.
        num_classes: channels of the logits.
        interpolation: how maps are enlarged, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.
        remat: whether training computes modules again in the backward pass; see `backbone`.
        head_options: further arguments of `ocr_head`.

    Returns:
        A functional `keras.Model` called "network", from images `(batch, height, width, 3)` to three maps at stride 4:
        logits, auxiliary logits, and the features behind the logits.
    """
    image = keras.Input((None, None, 3), name="scaled_image")
    maps = backbone(image, variant, interpolation, align_corners, dtype, remat)
    outputs = ocr_head(maps, num_classes, interpolation, align_corners, dtype, **head_options)
    return keras.Model(image, list(outputs), name="network")


def scale_attention(dtype):
    """Makes the layer that weighs the scales against each other."""
    return ScaleAttention(data_format="channels_last", dtype=dtype, name="scale_attn")


def blend_scales(image, network, attention, scales):
    """Runs a network at several scales, and joins its logits from the largest scale to the smallest.

    Args:
        image: symbolic `(batch, height, width, 3)`, RGB in [0, 255].
        network: as `scale_network` builds it.
        attention: a `ScaleAttention`, for the network's features at every scale but the largest.
        scales: factors of the image's height and width, 1 among them.

    Returns:
        A pair. First a list of symbolic maps: the joined logits `(batch, height, width, num_classes)`; the auxiliary
        logits, joined by the same attention; and the logits of each scale, at the image's size, or, where there is
        but one, the attention, which has no part in the result then. Second the weights of the losses of all but the
        first.

    Reference: NVIDIA/semantic-segmentation, network/ocrnet.py, `MscaleOCR.two_scale_forward` and `nscale_forward`:
    the first is the second at the scales 0.5 and 1, with a loss at each scale.
    """
    stage = network.get_layer("stage2")
    convention = stage.interpolation, stage.align_corners
    options = {"align_corners": stage.align_corners, "data_format": "channels_last", "dtype": "float32"}

    joined, at_scale = None, []
    for scale in sorted(scales, reverse=True):
        name = f"scale_{scale:g}".replace(".", "_")
        scaled = image if scale == 1 else Rescale(scale, name=name, **options)(image)
        logits, auxiliary, features = network(scaled)
        logits = enlarge_logits(logits, scaled, 1, *convention, name=f"logits_{name}")
        auxiliary = enlarge_logits(auxiliary, scaled, 1, *convention, name=f"auxiliary_{name}")
        at_scale.append(logits)
        if joined is None:
            joined = logits, auxiliary
            continue
        trust = enlarge_logits(attention(features), scaled, 1, *convention, name=f"attention_{name}")
        joined = tuple(
            ScaleBlend(scale < 1, name=f"{kind}_{name}", **options)([larger, here, trust])
            for kind, larger, here in zip(("blend", "blend_auxiliary"), joined, (logits, auxiliary), strict=True)
        )
    if len(at_scale) == 1:
        return [*joined, attention(features)], (AUXILIARY_LOSS_WEIGHT, 0.0)
    at_image_size = [enlarge_logits(x, image, 1, *convention, name=f"supervised_{i}") for i, x in enumerate(at_scale)]
    return [*joined, *at_image_size], (AUXILIARY_LOSS_WEIGHT, *[SCALE_LOSS_WEIGHT] * len(at_image_size))


def _checked_scales(scales, input_shape, data_format, name):
    scales = tuple(scales) if isinstance(scales, list | tuple) else (scales,)
    numbers = all(isinstance(scale, int | float) and 0 < scale < math.inf for scale in scales)
    if not numbers or 1 not in scales or len(set(scales)) != len(scales):
        raise ValueError(
            f"`{name}` received scales={scales}. Expected different positive numbers with 1.0 among them: logits are "
            "given at the size of the image. Pass (0.5, 1.0) for training, or (0.5, 1.0, 2.0) as published for "
            "inference."
        )
    size = input_shape[1:] if data_format == "channels_first" else input_shape[:-1]
    smallest = math.ceil(MIN_SIZE / min(scales))
    if any(length is not None and length < smallest for length in size):
        raise ValueError(
            f"`{name}` needs a height and width of at least {smallest} at scales={scales}. Received "
            f"input_shape={tuple(input_shape)}. Enlarge the image, or leave out the smallest scale."
        )
    return scales
