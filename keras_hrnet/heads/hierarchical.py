"""Hierarchical multi-scale attention, which runs one network with OCR at several scales and blends them per pixel."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.architecture import MIN_SIZE
from keras_hrnet.families.counting import ConvolutionCost, Cost, count
from keras_hrnet.families.family import Family, LayerOptions, Shapes
from keras_hrnet.heads.head import AUXILIARY_LOSS_WEIGHT, Backbone, option, upsample_logits
from keras_hrnet.heads.ocr import OCR

if TYPE_CHECKING:
    import keras

    from keras_hrnet.layers import ScaleAttention


# NVIDIA/semantic-segmentation, scripts/train_cityscapes.yml, `supervised_mscale_loss_wt`.
SCALE_LOSS_WEIGHT = 0.05
# config.py, `SEGATTN_BOT_CH`.
ATTENTION_FILTERS = 256

_ATTENTION = "scale_attn.conv2.weight"


def _scales(value: Any) -> str | None:
    scales = value if isinstance(value, list | tuple) else (value,)
    numbers = all(isinstance(scale, int | float) and 0 < scale < math.inf for scale in scales)
    if numbers and 1 in scales and len(set(scales)) == len(scales):
        return None
    return (
        "Expected different positive numbers with 1.0 among them, because logits have the size of the image. Pass "
        "(0.5, 1.0) for training, or (0.5, 1.0, 2.0) as published for inference."
    )


@dataclasses.dataclass(frozen=True)
class Hierarchical(OCR):
    """Runs OCR at several scales of the image, and weights the scales at each pixel.

    Args:
        channels, dropout, kernel_size: as in `OCR`.
        scales: factors of the image's height and width, which include 1.0; see also `keras_hrnet.with_scales`.

    Reference: NVIDIA/semantic-segmentation, network/ocrnet.py, `MscaleOCR`; Tao et al., "Hierarchical Multi-Scale
    Attention for Semantic Segmentation", 2020.
    """

    name: ClassVar[str | None] = "hierarchical"
    summary: ClassVar[str] = "by OCR at several scales of the image"
    own_layer: ClassVar[str | None] = "scale_attn"
    output_strides: ClassVar[tuple[int, ...]] = (1,)
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        *OCR.weight_names,
        # No official file has this layer; the names are those of NVIDIA's code.
        (r"^scale_attn/conv2/", r"scale_attn.conv2."),
        (r"^scale_attn/", r"scale_attn."),
    )
    telling_weights: ClassVar[tuple[str, ...]] = (*OCR.telling_weights, _ATTENTION)

    scales: tuple[float, ...] = option((0.5, 1.0), "scales", _scales)

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.scales, tuple):
            object.__setattr__(self, "scales", (self.scales,))

    def connect(
        self, image: keras.KerasTensor, backbone: Backbone, num_classes: int, options: LayerOptions, output_stride: int
    ) -> tuple[dict[str, keras.KerasTensor], tuple[float, ...]]:
        import keras

        from keras_hrnet.layers import ScaleAttention

        check_image_size(image, self.scales)
        scaled = keras.Input((None, None, image.shape[-1]), name="scaled_image")
        outputs = list(self.logits_and_features(backbone(scaled), num_classes, options))
        network = keras.Model(scaled, outputs, name="network")
        attention = ScaleAttention(ATTENTION_FILTERS, name="scale_attn", **options.of_layer)
        return blend_scales(image, network, attention, self.scales)

    def cost(self, backbone: Family, num_classes: int, image_size: tuple[int, int]) -> Cost:
        sizes = [tuple(int(length * scale) for length in image_size) for scale in sorted(self.scales)]
        attention = list(_attention_costs(self.channels[0]))
        at_scales = [super(Hierarchical, self).cost(backbone, num_classes, size) for size in sizes]
        # The largest scale does not need attention. All scales share their parameters.
        work = [cost.multiplications for cost in (*at_scales, *(count(attention, size) for size in sizes[:-1]))]
        return Cost(at_scales[0].parameters + count(attention, image_size).parameters, sum(work))

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        return cls.ocr_options_in(shapes, joined) if _ATTENTION in shapes else None


def _attention_costs(channels: int) -> Iterator[ConvolutionCost]:
    yield ConvolutionCost(channels, ATTENTION_FILTERS, 3, 4)
    yield ConvolutionCost(ATTENTION_FILTERS, ATTENTION_FILTERS, 3, 4)
    yield ConvolutionCost(ATTENTION_FILTERS, 1, 1, 4, norm=False)


def check_image_size(image: keras.KerasTensor, scales: Sequence[float]) -> None:
    """Raises a `ValueError` if an image of known size is too small for the smallest scale."""
    least = math.ceil(MIN_SIZE / min(scales))
    if any(length is not None and length < least for length in image.shape[1:3]):
        raise ValueError(
            f"A hierarchical network needs a height and width of at least {least} at scales={tuple(scales)}. Received "
            f"images of shape {tuple(image.shape[1:])}. Enlarge the images, or leave out the smallest scale."
        )


def blend_scales(
    image: keras.KerasTensor, network: keras.Model, attention: ScaleAttention, scales: Sequence[float]
) -> tuple[dict[str, keras.KerasTensor], tuple[float, ...]]:
    """Runs a network at several scales, and blends its logits from the largest scale to the smallest.

    Args:
        image: symbolic `(batch, height, width, channels)`, the input of the network.
        network: a functional model from an image of any size to three maps at stride 4: logits, auxiliary logits, and
            the features that the logits are computed from.
        attention: the layer that weights scales, for the network's features at every scale except the largest.
        scales: factors of the image's height and width, which include 1.

    Returns:
        A pair: a dict of symbolic maps by role, and the loss weights of all maps after the first. The dict has the
        blended logits `(batch, height, width, num_classes)`; the auxiliary logits, blended with the same attention; and
        the logits of each scale, at the size of the image. If there is only one scale, the dict has the attention
        instead of the latter, which then does not affect the result.

    Reference: NVIDIA/semantic-segmentation, network/ocrnet.py, `MscaleOCR.two_scale_forward` and `nscale_forward`:
    the first is the second at the scales 0.5 and 1, with a loss at each scale.
    """
    from keras_hrnet.layers import Rescale, ScaleBlend

    join = network.get_layer("concatenate")
    options = LayerOptions(join.interpolation, join.align_corners)
    of_scaling = {"align_corners": join.align_corners, "data_format": "channels_last", "dtype": "float32"}

    joined, at_scale = None, []
    for scale in sorted(scales, reverse=True):
        name = f"scale_{scale:g}".replace(".", "_")
        scaled = image if scale == 1 else Rescale(scale, name=name, **of_scaling)(image)
        logits, auxiliary, features = network(scaled)
        logits = upsample_logits(logits, scaled, 1, options, f"logits_{name}")
        auxiliary = upsample_logits(auxiliary, scaled, 1, options, f"auxiliary_{name}")
        at_scale.append(logits)
        if joined is None:
            joined = logits, auxiliary
            continue
        trust = upsample_logits(attention(features), scaled, 1, options, f"attention_{name}")
        joined = tuple(
            ScaleBlend(scale < 1, name=f"{kind}_{name}", **of_scaling)([larger, here, trust])
            for kind, larger, here in zip(("blend", "blend_auxiliary"), joined, (logits, auxiliary), strict=True)
        )
    tensors = {"0": joined[0], "1": joined[1]}
    if len(at_scale) == 1:
        return {**tensors, "2": attention(features)}, (AUXILIARY_LOSS_WEIGHT, 0.0)
    for i, x in enumerate(at_scale):
        tensors[str(i + 2)] = upsample_logits(x, image, 1, options, f"supervised_{i}")
    return tensors, (AUXILIARY_LOSS_WEIGHT, *[SCALE_LOSS_WEIGHT] * len(at_scale))
