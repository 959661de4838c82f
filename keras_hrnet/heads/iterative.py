"""Iterative, which sums the four maps from coarse to fine, and classifies each pixel by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.families.counting import ConvolutionCost, separable
from keras_hrnet.families.family import LayerOptions, Shapes, first_size
from keras_hrnet.heads.fcn import classifier
from keras_hrnet.heads.head import Head

if TYPE_CHECKING:
    import keras


_LAST = "keypoint_head.final_layer.weight"
_PROJECT = "head_layer.projects.0.pointwise_conv.conv.weight"


@dataclasses.dataclass(frozen=True)
class Iterative(Head):
    """Convolves the maps, sums them from coarse to fine, and classifies each pixel with a 1x1 convolution.

    Maps are upsampled with aligned corners, as published; `align_corners` of the network affects only the last
    upsampling, to the size of the image.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `IterativeHead`, with the last layer of the key points'
    head of its configurations.
    """

    name: ClassVar[str | None] = "iterative"
    summary: ClassVar[str] = "each pixel by itself, from coarse to fine"
    own_layer: ClassVar[str | None] = "head_layer"
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^head_layer/project_(\d)/spatial/", r"head_layer.projects.\1.depthwise_conv./"),
        (r"^head_layer/project_(\d)/pointwise/", r"head_layer.projects.\1.pointwise_conv./"),
        (r"^head_classifier/", r"keypoint_head.final_layer."),
    )
    telling_weights: ClassVar[tuple[str, ...]] = (_LAST, _PROJECT)

    def logits(
        self, maps: Sequence[keras.KerasTensor], num_classes: int, options: LayerOptions
    ) -> Sequence[keras.KerasTensor]:
        from keras_hrnet.layers import IterativeUpsampling

        x = IterativeUpsampling(name="head_layer", **options.of_layer)(maps)
        return [classifier(num_classes, "head_classifier", options)(x)]

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        for i, width in enumerate(widths):
            yield from separable(width, widths[max(i - 1, 0)], 4 * 2**i)
        yield ConvolutionCost(widths[0], num_classes, 1, 4, bias=True, norm=False)

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        if not shapes.keys() & set(cls.telling_weights):
            return None
        return {"num_classes": first_size(shapes, _LAST), "head": cls.name}, None
