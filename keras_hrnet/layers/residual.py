"""Residual blocks, of which HRNet's branches consist."""

from collections.abc import Sequence
from typing import Any, Self

import keras

from keras_hrnet.layers import in_place
from keras_hrnet.layers.convolution import ConvNorm, NormalizedConvolution
from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.depthwise import DepthwiseConvNorm
from keras_hrnet.layers.inside import call_inside
from keras_hrnet.layers.sublayers import build_in_order
from keras_hrnet.layers.together import ParallelLayer, together


class _ResidualBlock(ParallelLayer):
    """The base class of both blocks: convolutions, and a shortcut, which is projected if the channels differ."""

    expansion = 1

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        table = enumerate(self.convolution_table(), 1)
        self.convolutions = [self.make_convolution(*arguments, name=f"conv{i}") for i, arguments in table]
        self.downsample = None

    def make_convolution(self, filters: int, kernel_size: int, activation: str | None, name: str) -> ConvNorm:
        return ConvNorm(filters, kernel_size, activation=activation, name=name, **self.options)

    def build(self, input_shape: Shape) -> None:
        if input_shape[self.channel_axis] != self.filters * self.expansion:
            self.downsample = self.make_convolution(self.filters * self.expansion, 1, None, name="downsample")
            self.downsample.build(input_shape)
        build_in_order(self.convolutions, input_shape)

    @property
    def structure(self) -> tuple[Any, ...]:
        return (len(self.convolutions),)

    @classmethod
    def call_together(
        cls, layers: Sequence[Self], maps: Sequence[keras.KerasTensor], training: bool | None
    ) -> list[keras.KerasTensor]:
        shortcuts = [
            x if block.downsample is None else call_inside(block.downsample, x, training=training)
            for block, x in zip(layers, maps, strict=True)
        ]
        for convolutions in zip(*(block.convolutions for block in layers), strict=True):
            maps = together(convolutions, maps, training)
        return [in_place.relu(in_place.add(x, shortcut)) for x, shortcut in zip(maps, shortcuts, strict=True)]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.convolutions[-1].compute_output_shape(input_shape)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class BasicBlock(_ResidualBlock):
    """Adds to a map the result of two 3x3 convolutions.

    Args:
        filters: channels of the result.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, height, width, filters)`, not negative.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `BasicBlock`.
    """

    def convolution_table(self) -> tuple[tuple[int, int, str | None], ...]:
        return (self.filters, 3, "relu"), (self.filters, 3, None)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Bottleneck(_ResidualBlock):
    """Adds to a map the result of 1x1, 3x3 and 1x1 convolutions, the last of which has four times the channels.

    Args:
        filters: channels of the inner convolutions.

    Returns:
        float `(batch, height, width, 4 * filters)`, not negative. The inputs are those of a `BasicBlock`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `Bottleneck`.
    """

    expansion = 4

    def convolution_table(self) -> tuple[tuple[int, int, str | None], ...]:
        return (self.filters, 1, "relu"), (self.filters, 3, "relu"), (self.filters * self.expansion, 1, None)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class DepthwiseBottleneck(Bottleneck):
    """Adds to a map the result of 1x1, depthwise 3x3 and 1x1 convolutions, the last of which has 4 times the channels.

    The argument, inputs and results are those of `Bottleneck`.

    Reference: HRNet/HRFormer, cls/models/modules/bottleneck_block.py, `BottleneckDWP`.
    """

    def make_convolution(
        self, filters: int, kernel_size: int, activation: str | None, name: str
    ) -> NormalizedConvolution:
        if kernel_size == 1:
            return super().make_convolution(filters, kernel_size, activation, name)
        return DepthwiseConvNorm(kernel_size, activation=activation, name=name, **self.options)
