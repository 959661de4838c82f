"""Classification: the whole image has one class, as in ImageNet."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import keras

from keras_hrnet.families.counting import ConvolutionCost, Cost, bottleneck
from keras_hrnet.families.family import Family, LayerOptions, Shapes
from keras_hrnet.heads.head import Backbone, Head
from keras_hrnet.layers import Branch, ConvNorm
from keras_hrnet.layers.convolution import classifier_initializer

# HRNet-Image-Classification, lib/models/cls_hrnet.py, `_make_head`.
FILTERS = (32, 64, 128, 256)
FEATURES = 2048

_CLASSIFIER = "classifier.weight"


@dataclasses.dataclass(frozen=True)
class Classification(Head):
    """Widens the four maps, adds them up from fine to coarse, and classifies their mean.

    Reference: HRNet-Image-Classification, lib/models/cls_hrnet.py, `_make_head` and `forward`.
    """

    name: ClassVar[str | None] = "classification"
    summary: ClassVar[str] = "the whole image"
    own_layer: ClassVar[str | None] = "classifier"
    segments: ClassVar[bool] = False
    interpolation: ClassVar[str] = "nearest"
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^incre_modules_(\d)/block_0/", r"incre_modules.\1.0."),
        (r"^downsamp_modules_(\d)/", r"downsamp_modules.\1."),
        (r"^(final_layer|classifier)/", r"\1."),
    )
    telling_weights: ClassVar[tuple[str, ...]] = (_CLASSIFIER,)

    def connect(
        self, image: keras.KerasTensor, backbone: Backbone, num_classes: int, options: LayerOptions, output_stride: int
    ) -> tuple[dict[str, keras.KerasTensor], tuple[float, ...]]:
        of_layer = options.of_layer
        maps = [
            Branch(filters, 1, "bottleneck", name=f"incre_modules_{i}", **of_layer)(x)
            for i, (filters, x) in enumerate(zip(FILTERS, backbone(image), strict=True))
        ]
        x = maps[0]
        for i, finer in enumerate(maps[1:]):
            x = ConvNorm(finer.shape[-1], 3, strides=2, use_bias=True, name=f"downsamp_modules_{i}", **of_layer)(x)
            x = keras.layers.Add(dtype=options.dtype, name=f"add_{i}")([finer, x])
        x = ConvNorm(FEATURES, 1, use_bias=True, name="final_layer", **of_layer)(x)
        x = keras.layers.GlobalAveragePooling2D(name="pool", **of_layer)(x)
        initializer = classifier_initializer()
        dense = keras.layers.Dense(num_classes, kernel_initializer=initializer, dtype=options.dtype, name="classifier")
        return {"logits": keras.layers.Activation("linear", dtype="float32", name="logits")(dense(x))}, ()

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        for i, (width, filters) in enumerate(zip(widths, FILTERS, strict=True)):
            yield from bottleneck(width, filters, 4 * 2**i)
            if i < 3:
                yield ConvolutionCost(4 * filters, 4 * FILTERS[i + 1], 3, 4 * 2 ** (i + 1), bias=True)
        yield ConvolutionCost(4 * FILTERS[-1], FEATURES, 1, 32, bias=True)

    def cost(self, backbone: Family, num_classes: int, image_size: tuple[int, int]) -> Cost:
        dense = FEATURES * num_classes
        return super().cost(backbone, num_classes, image_size) + Cost(dense + num_classes, dense)

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        return ({"num_classes": shapes[_CLASSIFIER][0], "head": cls.name}, None) if _CLASSIFIER in shapes else None
