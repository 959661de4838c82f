"""Counts parameters and multiplications from the row of a network, without building it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class Cost:
    """The size of a network and the arithmetic of one pass through it.

    Args:
        parameters: number of trainable values: kernels, biases, and the scale and shift of every normalization.
        multiplications: multiplications, each with its addition, of convolutions, dense layers and attention for one
            image; the "GFLOPs" in the papers are this number divided by 2 ** 30.
    """

    parameters: int = 0
    multiplications: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.multiplications + other.multiplications)


@dataclasses.dataclass(frozen=True)
class ConvolutionCost:
    """A convolution whose cost is counted.

    Args:
        inputs: channels of the input map.
        outputs: channels of the result.
        side: height and width of the kernel.
        stride: stride of the result with respect to the image; None if `num_pixels` specifies the size of the result.
        bias: whether the convolution has a bias.
        norm: whether a normalization follows the convolution.
        num_pixels: number of pixels of the result, if it does not follow from the size of the image.
        groups: number of groups of channels that are convolved separately; equal to `inputs` for a depthwise
            convolution.
    """

    inputs: int
    outputs: int
    side: int
    stride: int | None
    bias: bool = False
    norm: bool = True
    num_pixels: int | None = None
    groups: int = 1

    def cost(self, image_size: tuple[int, int]) -> Cost:
        """Counts the cost of the convolution for an image of (height, width) pixels."""
        pixels = num_pixels(image_size, self.stride) if self.num_pixels is None else self.num_pixels
        kernel = self.outputs * (self.inputs // self.groups) * self.side**2
        return Cost(kernel + self.outputs * (self.bias + 2 * self.norm), pixels * kernel)


class HasCost(Protocol):
    """An object whose cost can be counted: a `ConvolutionCost`, or another object with such a method."""

    def cost(self, image_size: tuple[int, int]) -> Cost: ...


def count(convolutions: Iterable[HasCost], image_size: tuple[int, int]) -> Cost:
    """Adds up the cost of convolutions for an image of (height, width) pixels."""
    return sum((convolution.cost(image_size) for convolution in convolutions), Cost())


def num_pixels(image_size: tuple[int, int], stride: int) -> int:
    """Returns the number of pixels of a map at a stride, for an image of (height, width) pixels."""
    return math.prod(math.ceil(length / stride) for length in image_size)


def depthwise(channels: int, stride: int, bias: bool = False) -> ConvolutionCost:
    """Returns the cost of a 3x3 `keras_hrnet.layers.DepthwiseConvNorm`."""
    return ConvolutionCost(channels, channels, 3, stride, bias=bias, groups=channels)


def bottleneck(channels: int, filters: int, stride: int, is_depthwise: bool = False) -> Iterator[ConvolutionCost]:
    """Lists the convolutions of a `keras_hrnet.layers.Bottleneck`, or a `DepthwiseBottleneck`."""
    if channels != 4 * filters:
        yield ConvolutionCost(channels, 4 * filters, 1, stride)
    yield ConvolutionCost(channels, filters, 1, stride)
    yield depthwise(filters, stride) if is_depthwise else ConvolutionCost(filters, filters, 3, stride)
    yield ConvolutionCost(filters, 4 * filters, 1, stride)


def separable(channels: int, filters: int, stride: int) -> Iterator[ConvolutionCost]:
    """Lists the convolutions of a `keras_hrnet.layers.SeparableConvNorm`."""
    yield depthwise(channels, stride)
    yield ConvolutionCost(channels, filters, 1, stride)


def convolution_3x3(channels: int, filters: int, stride: int) -> Iterator[ConvolutionCost]:
    """Yields the single convolution of a 3x3 `keras_hrnet.layers.ConvNorm`."""
    yield ConvolutionCost(channels, filters, 3, stride)


def fuse(
    widths: Sequence[int], downsampling: Callable[[int, int, int], Iterator[ConvolutionCost]]
) -> Iterator[ConvolutionCost]:
    """Lists the convolutions of a fuse layer between branches of these widths, finest first.

    A coarser branch is convolved 1x1. A finer branch is halved in steps, and `downsampling` lists the convolutions of
    one step: `separable` or `convolution_3x3`.
    """
    for i, target in enumerate(widths):
        for j, source in enumerate(widths):
            if j > i:
                yield ConvolutionCost(source, target, 1, 4 * 2**j)
            for step in range(j + 1, i + 1):
                yield from downsampling(source, target if step == i else source, 4 * 2**step)
