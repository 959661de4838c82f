"""The parts of Lite-HRNet other than its blocks: stem, transition, fuse layer, module and iterative upsampling."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.architecture import LITE_BLOCKS
from keras_hrnet.layers import in_place
from keras_hrnet.layers.branch import Branch
from keras_hrnet.layers.channel_weighting import ConditionalChannelWeighting
from keras_hrnet.layers.convolution import ConvNorm, NormalizedConvolution
from keras_hrnet.layers.data_format import Shape, Size, with_channels
from keras_hrnet.layers.depthwise import DepthwiseConvNorm
from keras_hrnet.layers.fuse import SeparableFuse
from keras_hrnet.layers.inside import call_in_order, call_inside
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.rematerialization import rematerialize
from keras_hrnet.layers.resize import resize, spatial_size
from keras_hrnet.layers.separable import SeparableConvNorm
from keras_hrnet.layers.shuffle import ShuffleUnit, half_of, halves, shuffle
from keras_hrnet.layers.stage import ParallelModule
from keras_hrnet.layers.stem import Stem
from keras_hrnet.layers.sublayers import build_in_order
from keras_hrnet.layers.transition import Transition


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteStem(Stem):
    """Reduces an image to stride 4 with a 3x3 convolution and two light paths, each of which takes half the channels.

    Args:
        filters: channels of the convolution and of the result, an even number; 32 in every published network.

    Call arguments:
        x: float `(batch, height, width, channels)`, normalized pixels.

    Returns:
        float `(batch, ceil(height / 4), ceil(width / 4), filters)`, not negative.

    Raises:
        ValueError: if the height or the width is below `MIN_SIZE`, or `filters` is odd.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `Stem`.
    """

    def __init__(self, filters: int = 32, **kwargs: Any) -> None:
        super().__init__(filters, **kwargs)
        self.narrow = SeparableConvNorm(filters // 2, strides=2, name="branch1", **self.options)
        self.wide = [
            ConvNorm(filters, 1, name="expand_conv", **self.options),
            DepthwiseConvNorm(3, strides=2, activation=None, name="depthwise_conv", **self.options),
            ConvNorm(filters // 2, 1, name="linear_conv", **self.options),
        ]

    def make_convolutions(self) -> list[ConvNorm]:
        return [ConvNorm(self.filters, 3, strides=2, name="conv1", **self.options)]

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shape = half_of(super().compute_output_shape(input_shape), self.data_format)
        self.narrow.build(shape)
        build_in_order(self.wide, shape)

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        narrow, wide = halves(super().call(x, training=training), self.data_format)
        narrow = call_inside(self.narrow, narrow, training=training)
        return shuffle([narrow, call_in_order(self.wide, wide, training)], self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = half_of(super().compute_output_shape(input_shape), self.data_format)
        return with_channels(self.narrow.compute_output_shape(shape), self.filters, self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteTransition(Transition):
    """Converts each branch to its width in the next stage, and adds a branch, using separable convolutions.

    Args:
        filters: the widths of the next stage's branches, one more than the number of inputs.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first.

    Returns:
        As `Transition`.

    Raises:
        ValueError: as `Transition`.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `LiteHRNet._make_transition_layer`.
    """

    def make_convolution(self, i: int, shape: Shape, strides: int = 1) -> SeparableConvNorm | None:
        if strides == 1 and shape[self.channel_axis] == self.filters[i]:
            return None
        return SeparableConvNorm(
            self.filters[i], strides, name=f"{'new' if strides > 1 else 'branch'}_{i}", **self.options
        )


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteFuse(SeparableFuse):
    """Adds to each branch the features of all other branches, as in the published code, which differs from the paper.

    The published loop adds in place. The finest branch is therefore counted twice in its own sum, and the other
    branches receive that sum, twice, in place of the finest branch. Published weights depend on this. Where the
    published code computes the same result twice, this layer computes it once and adds it twice; the moving statistics
    of the normalizations are updated as if the result had been computed twice.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first, each half as high and wide as
            the one before it (rounded up).

    Returns:
        A list of the same shapes, not negative.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `LiteHRModule.forward`.
    """

    def layers_between(self, i: int, j: int, widths: Sequence[int]) -> list[NormalizedConvolution]:
        layers = super().layers_between(i, j, widths)
        for layer in layers if j == 0 and not self.folded else ():
            layer.norm.momentum **= 2
        return layers

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        finest, *others = inputs
        (first,) = self.fuse([0], [finest + finest, *others], training)
        sums = [first, *self.fuse(range(1, len(inputs)), [first, *others], training)]
        return [in_place.relu(x) for x in sums]

    def added(self, i: int, j: int, x: keras.KerasTensor) -> keras.KerasTensor:
        return x + x if j == 0 < i else x

    def upsample(self, x: keras.KerasTensor, size: Size, factor: int) -> keras.KerasTensor:
        # Unlike the published code, which upsamples by a factor, this method supports images of any size.
        return resize(x, size, "nearest", data_format=self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteModule(ParallelModule):
    """Applies blocks of Lite-HRNet to all maps, then fuses the branches.

    Args:
        num_blocks: number of blocks.
        block: "weighting" (`ConditionalChannelWeighting` of all branches) or "shuffle" (a `ShuffleUnit` in each branch,
            as in the naive networks).
        remat: whether training recomputes each block or branch and the fuse layer in the backward pass, instead of
            storing their intermediate results.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first, each half as high and wide as
            the one before it (rounded up), with even numbers of channels.

    Returns:
        A list of the same shapes, not negative.

    Raises:
        ValueError: if there is no such block, or the block does not support the number of channels of a map.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `LiteHRModule`.
    """

    def __init__(self, num_blocks: int, block: str = "weighting", *, remat: bool = False, **kwargs: Any) -> None:
        super().__init__(remat=remat, **kwargs)
        if block not in LITE_BLOCKS:
            raise ValueError(f"`LiteModule` received block={block!r}. Expected one of {LITE_BLOCKS}. Pass one of them.")
        self.num_blocks = num_blocks
        self.block = block
        # These are blocks of all branches together, which "shuffle" does not have.
        self.blocks = []
        self.fuse = LiteFuse(name="fuse", **self.options)

    def build(self, input_shape: Sequence[Shape]) -> None:
        if self.block == "shuffle":
            super().build(input_shape)
            return
        self.blocks = [ConditionalChannelWeighting(name=f"block_{i}", **self.options) for i in range(self.num_blocks)]
        build_in_order((*self.blocks, self.fuse), input_shape)

    def make_branch(self, i: int, channels: int) -> Branch:
        return Branch(channels, self.num_blocks, ShuffleUnit, name=f"branch_{i}", **self.options)

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        if self.block == "shuffle":
            return super().call(inputs, training=training)
        maps, layers = list(inputs), (*self.blocks, self.fuse)
        if not (self.remat and training):
            return call_in_order(layers, maps, training)
        for layer in layers:
            maps = rematerialize(layer, maps)
        return maps


@keras.saving.register_keras_serializable(package="keras_hrnet")
class IterativeUpsampling(FoldableLayer):
    """Sums maps from coarse to fine: each sum is convolved to the next width and upsampled with aligned corners.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first.

    Returns:
        float of the shape of the first input, not negative.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `IterativeHead`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # There is one layer for each map, coarsest first.
        self.convolutions = []

    def build(self, input_shape: Sequence[Shape]) -> None:
        widths = [shape[self.channel_axis] for shape in input_shape]
        for i, shape in enumerate(reversed(input_shape)):
            next_width = widths[max(len(widths) - i - 2, 0)]
            convolution = SeparableConvNorm(next_width, name=f"project_{i}", **self.options)
            convolution.build(shape)
            self.convolutions.append(convolution)

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> keras.KerasTensor:
        total = None
        for convolution, x in zip(self.convolutions, reversed(inputs), strict=True):
            if total is not None:
                size = spatial_size(x, self.data_format)
                x = x + resize(total, size, "bilinear", True, self.data_format)
            total = call_inside(convolution, x, training=training)
        return total

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])
