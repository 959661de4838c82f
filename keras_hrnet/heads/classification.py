"""Classification, which assigns one class to the whole image, as in ImageNet."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.families.counting import ConvolutionCost, Cost, bottleneck, depthwise
from keras_hrnet.families.family import Family, LayerOptions, Shapes
from keras_hrnet.heads.head import Backbone, Head, option, yes_or_no

if TYPE_CHECKING:
    import keras


# HRNet-Image-Classification, lib/models/cls_hrnet.py, `_make_head`.
FILTERS = (32, 64, 128, 256)
FEATURES = 2048

_CLASSIFIER = "classifier.weight"
_INNER = "incre_modules.0.0.conv2.weight"


@dataclasses.dataclass(frozen=True)
class Classification(Head):
    """Widens the four maps, sums them from fine to coarse, and classifies the mean of the result.

    Args:
        depthwise: whether the 3x3 convolutions are depthwise, with a 1x1 convolution after the strided convolutions, as
            in HRFormer.

    Reference: HRNet-Image-Classification, lib/models/cls_hrnet.py, `_make_head` and `forward`; HRNet/HRFormer,
    cls/models/hrt.py, for the depthwise variant.
    """

    name: ClassVar[str | None] = "classification"
    summary: ClassVar[str] = "the whole image"
    own_layer: ClassVar[str | None] = "classifier"
    segments: ClassVar[bool] = False
    interpolation: ClassVar[str] = "nearest"
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^incre_modules_(\d)/block_0/", r"incre_modules.\1.0."),
        (r"^downsamp_modules_(\d)(?:_spatial)?/", r"downsamp_modules.\1."),
        (r"^downsamp_modules_(\d)_pointwise/conv/", r"downsamp_modules.\1.2."),
        (r"^downsamp_modules_(\d)_pointwise/norm/", r"downsamp_modules.\1.3."),
        (r"^(final_layer|classifier)/", r"\1."),
    )
    telling_weights: ClassVar[tuple[str, ...]] = (_CLASSIFIER, _INNER)

    depthwise: bool = option(False, "depthwise_head", yes_or_no)

    def connect(
        self, image: keras.KerasTensor, backbone: Backbone, num_classes: int, options: LayerOptions, output_stride: int
    ) -> tuple[dict[str, keras.KerasTensor], tuple[float, ...]]:
        import keras

        from keras_hrnet.layers import Branch, ConvNorm
        from keras_hrnet.layers.convolution import classifier_initializer

        of_layer = options.of_layer
        block = "depthwise_bottleneck" if self.depthwise else "bottleneck"
        maps = [
            Branch(filters, 1, block, name=f"incre_modules_{i}", **of_layer)(x)
            for i, (filters, x) in enumerate(zip(FILTERS, backbone(image), strict=True))
        ]
        x = maps[0]
        for i, finer in enumerate(maps[1:]):
            x = self.downsample(x, finer.shape[-1], f"downsamp_modules_{i}", options)
            x = keras.layers.Add(dtype=options.dtype, name=f"add_{i}")([finer, x])
        x = ConvNorm(FEATURES, 1, use_bias=True, name="final_layer", **of_layer)(x)
        x = keras.layers.GlobalAveragePooling2D(name="pool", **of_layer)(x)
        of_dense = {"kernel_initializer": classifier_initializer(), "dtype": options.dtype}
        dense = keras.layers.Dense(num_classes, name="classifier", **of_dense)
        return {"logits": keras.layers.Activation("linear", dtype="float32", name="logits")(dense(x))}, ()

    def downsample(self, x: keras.KerasTensor, filters: int, name: str, options: LayerOptions) -> keras.KerasTensor:
        """Halves the height and width of a map, and converts it to the number of channels of the next map."""
        from keras_hrnet.layers import ConvNorm, DepthwiseConvNorm

        of_layer = options.of_layer
        if not self.depthwise:
            return ConvNorm(filters, 3, strides=2, use_bias=True, name=name, **of_layer)(x)
        x = DepthwiseConvNorm(3, strides=2, activation=None, use_bias=True, name=f"{name}_spatial", **of_layer)(x)
        return ConvNorm(filters, 1, use_bias=True, name=f"{name}_pointwise", **of_layer)(x)

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        for i, (width, filters) in enumerate(zip(widths, FILTERS, strict=True)):
            yield from bottleneck(width, filters, 4 * 2**i, self.depthwise)
            if i < 3:
                stride = 4 * 2 ** (i + 1)
                if self.depthwise:
                    yield depthwise(4 * filters, stride, bias=True)
                yield ConvolutionCost(4 * filters, 4 * FILTERS[i + 1], 1 if self.depthwise else 3, stride, bias=True)
        yield ConvolutionCost(4 * FILTERS[-1], FEATURES, 1, 32, bias=True)

    def cost(self, backbone: Family, num_classes: int, image_size: tuple[int, int]) -> Cost:
        dense = FEATURES * num_classes
        return super().cost(backbone, num_classes, image_size) + Cost(dense + num_classes, dense)

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        if _CLASSIFIER not in shapes:
            return None
        options = {"num_classes": shapes[_CLASSIFIER][0], "head": cls.name}
        # There is one channel for each filter.
        is_depthwise = shapes.get(_INNER, (0, 0))[1] == 1
        return {**options, **({"depthwise_head": True} if is_depthwise else {})}, None
