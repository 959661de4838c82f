"""The fuse layer, in which branches exchange their features."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_hrnet.layers import in_place
from keras_hrnet.layers.convolution import ConvNorm, NormalizedConvolution
from keras_hrnet.layers.data_format import Shape, Size
from keras_hrnet.layers.depthwise import DepthwiseConvNorm
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.resize import ResizingLayer, resize, spatial_size
from keras_hrnet.layers.sublayers import build_in_order
from keras_hrnet.layers.together import together_in_order


class Fusion(FoldableLayer):
    """The base class of `FuseLayer` and `SeparableFuse`: each branch becomes the ReLU of the sum of all branches.

    A subclass creates the layers that convert branch j to the width of branch i in `layers_between`, and upsamples a
    coarser map in `upsample`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # The keys are names, which contain the numbers of the target branch and of the source branch.
        self.convolutions = {}
        # The keys are pairs (target, source); the values are the names of the layers between these branches.
        self.names = {}

    def build(self, input_shape: Sequence[Shape]) -> None:
        widths = [shape[self.channel_axis] for shape in input_shape]
        for i in range(len(widths)):
            for j, shape in enumerate(input_shape):
                layers = [] if i == j else self.layers_between(i, j, widths)
                self.names[i, j] = [layer.name for layer in layers]
                build_in_order(layers, shape)
                self.convolutions.update({layer.name: layer for layer in layers})

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        if len(inputs) == 1:
            return [keras.ops.relu(inputs[0])]
        return [in_place.relu(total) for total in self.fuse(range(len(inputs)), inputs, training)]

    def fuse(
        self, targets: Sequence[int], inputs: Sequence[keras.KerasTensor], training: bool | None
    ) -> Iterator[keras.KerasTensor]:
        """Yields for each target branch the sum of all branches."""
        pairs = ((i, j) for i in targets for j in range(len(inputs)))
        sequences = (([self.convolutions[name] for name in self.names[i, j]], inputs[j]) for i, j in pairs)
        converted = together_in_order(sequences, training)
        for i in targets:
            yield self.sum_of(i, spatial_size(inputs[i], self.data_format), len(inputs), converted)

    def sum_of(
        self, i: int, size: Size, num_branches: int, converted: Iterator[keras.KerasTensor]
    ) -> keras.KerasTensor:
        """Sums the next maps that have the width of branch i, one from each branch, at the size of branch i."""
        total = None
        for j in range(num_branches):
            x = self.added(i, j, next(converted))
            # Sizes that are known only at run time cannot be compared, so the branches decide whether to upsample.
            if j > i:
                x = self.upsample(x, size, 2 ** (j - i))
            # The first sum must be a new map, because other branches also read branch i.
            total = x if j == 0 else total + x if j == 1 else in_place.add(total, x)
        return total

    def added(self, i: int, j: int, x: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the map to add to branch i, given the converted map of branch j."""
        return x

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> list[Shape]:
        return [tuple(shape) for shape in input_shape]


@keras.saving.register_keras_serializable(package="keras_hrnet")
class FuseLayer(ResizingLayer, Fusion):
    """Adds to each branch the features of all other branches, converted to its resolution and width.

    A coarser branch is convolved 1x1 and upsampled *to the size of the branch that it is added to*. A finer branch
    passes through strided 3x3 convolutions, of which only the last changes the width and only the last has no ReLU.

    Its arguments are those of `ResizingLayer`, which determine how coarser maps are upsampled.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first, each half as high and wide as
            the one before it (rounded up).

    Returns:
        A list of the same shapes, not negative.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `_make_fuse_layers`.
    """

    def layers_between(self, i: int, j: int, widths: Sequence[int]) -> list[ConvNorm]:
        if j > i:
            return [ConvNorm(widths[i], 1, activation=None, name=f"up_{i}_{j}", **self.options)]
        last = i - j - 1
        return [
            ConvNorm(
                widths[i] if step == last else widths[j],
                3,
                strides=2,
                activation=None if step == last else "relu",
                name=f"down_{i}_{j}_{step}",
                **self.options,
            )
            for step in range(i - j)
        ]

    def upsample(self, x: keras.KerasTensor, size: Size, factor: int) -> keras.KerasTensor:
        return self.resized(x, size)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SeparableFuse(Fusion):
    """Adds to each branch the features of all other branches, using separable convolutions.

    A coarser branch is convolved 1x1 and upsampled by the ratio of the two strides with nearest-neighbor interpolation.
    If the branch that it is added to has an odd size, the result is then resized to that size with aligned corners. A
    finer branch passes through steps of a strided depthwise 3x3 convolution and a 1x1 convolution, of which only the
    last changes the width and only the last has no ReLU. The inputs and outputs are those of `FuseLayer`.

    Reference: HRNet/HRFormer, seg/lib/models/backbones/hrt/hrt_backbone.py, `HighResolutionTransformerModule`.
    """

    def layers_between(self, i: int, j: int, widths: Sequence[int]) -> list[NormalizedConvolution]:
        if j > i:
            return [ConvNorm(widths[i], 1, activation=None, name=f"up_{i}_{j}", **self.options)]
        layers = []
        for step in range(i - j):
            name, is_last = f"down_{i}_{j}_{step}", step == i - j - 1
            filters, activation = (widths[i], None) if is_last else (widths[j], "relu")
            layers += [
                DepthwiseConvNorm(3, strides=2, activation=None, name=f"{name}_spatial", **self.options),
                ConvNorm(filters, 1, activation=activation, name=f"{name}_pointwise", **self.options),
            ]
        return layers

    def upsample(self, x: keras.KerasTensor, size: Size, factor: int) -> keras.KerasTensor:
        larger = [length * factor for length in spatial_size(x, self.data_format)]
        x = resize(x, larger, "nearest", data_format=self.data_format)
        return resize(x, size, "bilinear", True, self.data_format)
