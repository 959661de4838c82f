"""The fuse layer: branches exchange their features."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers import in_place
from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.inside import call_inside
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.resize import check_convention, resize, spatial_size


@keras.saving.register_keras_serializable(package="keras_hrnet")
class FuseLayer(FoldableLayer):
    """Adds to each branch the features of all the others, brought to its resolution and width.

    A coarser branch is convolved 1x1 and upsampled *to the size of the branch it is added to*; a finer one passes
    through strided 3x3 convolutions, of which only the last changes the width and only the last has no ReLU.

    Args:
        interpolation: how coarser maps are upsampled, "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        **kwargs: `data_format` and `folded` of `FoldableLayer`, and what every Keras layer takes.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first, each half as high and wide as
            the one before it (rounded up).
        training: whether this is a training step.

    Returns:
        A list of the same shapes, not negative.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `_make_fuse_layers`.
    """

    def __init__(self, interpolation: str = "bilinear", align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_convention(interpolation, align_corners)
        self.interpolation = interpolation
        self.align_corners = align_corners
        # By name, which holds the numbers of the target branch and of the source branch.
        self.convolutions = {}

    def build(self, input_shape: Sequence[Shape]) -> None:
        widths = [shape[self.channel_axis] for shape in input_shape]
        for i in range(len(widths)):
            for j, shape in enumerate(input_shape):
                for step, name in enumerate(self.names_between(i, j)):
                    convolution = self.make_convolution(i, j, step, widths, name)
                    convolution.build(shape)
                    shape = convolution.compute_output_shape(shape)
                    self.convolutions[name] = convolution

    def names_between(self, i: int, j: int) -> list[str]:
        """Names the convolutions that bring branch j to branch i, in their order."""
        if j > i:
            return [f"up_{i}_{j}"]
        return [f"down_{i}_{j}_{step}" for step in range(i - j)]

    def make_convolution(self, i: int, j: int, step: int, widths: Sequence[int], name: str) -> ConvNorm:
        if j > i:
            return ConvNorm(widths[i], 1, activation=None, name=name, **self.options)
        if step == i - j - 1:
            return ConvNorm(widths[i], 3, strides=2, activation=None, name=name, **self.options)
        return ConvNorm(widths[j], 3, strides=2, name=name, **self.options)

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        if len(inputs) == 1:
            return [keras.ops.relu(inputs[0])]
        return [in_place.relu(self.fuse(i, inputs, training)) for i in range(len(inputs))]

    def fuse(self, i: int, inputs: Sequence[keras.KerasTensor], training: bool | None) -> keras.KerasTensor:
        size = spatial_size(inputs[i], self.data_format)
        total = None
        for j, x in enumerate(inputs):
            for name in self.names_between(i, j):
                x = call_inside(self.convolutions[name], x, training=training)
            if j > i:  # The others have this size; sizes known at run time only cannot tell.
                x = resize(x, size, self.interpolation, self.align_corners, self.data_format)
            # The first sum is a new map, as others read branch i too.
            total = x if j == 0 else total + x if j == 1 else in_place.add(total, x)
        return total

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> list[Shape]:
        return [tuple(shape) for shape in input_shape]
