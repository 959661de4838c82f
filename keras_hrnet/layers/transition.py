"""The transition between two stages: it converts each branch to its next width, and adds a coarser branch."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.together import together_in_order


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Transition(FoldableLayer):
    """Converts each branch to its width in the next stage, and adds a branch, which is computed from the coarsest.

    A branch that already has this width passes through unchanged.

    Args:
        filters: the widths of the next stage's branches, one more than the number of inputs.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first.

    Returns:
        A list with one additional map: `(batch, height_i, width_i, filters[i])`, the last with half the height and
        width of the coarsest input (rounded up).

    Raises:
        ValueError: if `filters` does not have exactly one more element than the list of inputs.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `_make_transition_layer`.
    """

    def __init__(self, filters: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = tuple(filters)
        # There is one element for each branch; None if the branch passes through unchanged.
        self.convolutions = []

    def build(self, input_shape: Sequence[Shape]) -> None:
        if len(input_shape) != len(self.filters) - 1:
            raise ValueError(
                f"`Transition` received {len(input_shape)} maps with filters={self.filters}. Expected "
                f"{len(self.filters) - 1} maps: one fewer than filters. Pass filters for each map and for the new map."
            )
        self.convolutions = [self.make_convolution(i, shape) for i, shape in enumerate(input_shape)]
        self.convolutions.append(self.make_convolution(len(input_shape), input_shape[-1], strides=2))
        for convolution, shape in zip(self.convolutions, [*input_shape, input_shape[-1]], strict=True):
            if convolution is not None:
                convolution.build(shape)

    def make_convolution(self, i: int, shape: Shape, strides: int = 1) -> ConvNorm | None:
        if strides == 1 and shape[self.channel_axis] == self.filters[i]:
            return None
        return ConvNorm(self.filters[i], 3, strides=strides, name=f"branch_{i}", **self.options)

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        maps = zip(self.convolutions, [*inputs, inputs[-1]], strict=True)
        sequences = (([] if convolution is None else [convolution], x) for convolution, x in maps)
        return list(together_in_order(sequences, training))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> list[Shape]:
        shapes = zip(self.convolutions, [*input_shape, input_shape[-1]], strict=True)
        return [shape if conv is None else conv.compute_output_shape(shape) for conv, shape in shapes]
