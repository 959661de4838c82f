"""The stem, which reduces an image to a quarter of its resolution with two strided convolutions."""

from typing import Any

import keras

from keras_hrnet.architecture import MIN_SIZE
from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import Shape, spatial_axes
from keras_hrnet.layers.inside import call_in_order
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.sublayers import build_in_order


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Stem(FoldableLayer):
    """Reduces an image to stride 4 with two 3x3 convolutions of stride 2.

    Args:
        filters: channels of both convolutions; 64 in every published network.

    Call arguments:
        x: float `(batch, height, width, channels)`, normalized pixels.

    Returns:
        float `(batch, ceil(height / 4), ceil(width / 4), filters)`, not negative.

    Raises:
        ValueError: if the height or the width is below `MIN_SIZE`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `HighResolutionNet.__init__`.
    """

    def __init__(self, filters: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.convolutions = self.make_convolutions()

    def make_convolutions(self) -> list[ConvNorm]:
        return [ConvNorm(self.filters, 3, strides=2, name=f"conv{i}", **self.options) for i in (1, 2)]

    def build(self, input_shape: Shape) -> None:
        self.check_size(input_shape)
        build_in_order(self.convolutions, input_shape)

    def check_size(self, shape: Shape) -> None:
        height, width = (shape[axis] for axis in spatial_axes(self.data_format))
        if any(isinstance(length, int) and length < MIN_SIZE for length in (height, width)):
            raise ValueError(
                f"HRNet received an image of height {height} and width {width}. Expected at least {MIN_SIZE} each, "
                "because the network halves them five times. Enlarge the image, or pad it."
            )

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        self.check_size(x.shape)
        return call_in_order(self.convolutions, x, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        for convolution in self.convolutions:
            input_shape = convolution.compute_output_shape(input_shape)
        return input_shape
