"""Separable convolution: a convolution over space in each channel, then a convolution over channels."""

from typing import Any

import keras

from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.depthwise import DepthwiseConvNorm
from keras_hrnet.layers.inside import call_in_order
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.sublayers import build_in_order


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SeparableConvNorm(FoldableLayer):
    """Applies a depthwise 3x3 convolution and a 1x1 convolution to a map, with a normalization after each.

    Args:
        filters: channels of the result.
        strides: step in both directions.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, ceil(height / strides), ceil(width / strides), filters)`, not negative.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `LiteHRNet._make_transition_layer`.
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.spatial = DepthwiseConvNorm(3, strides=strides, activation=None, name="spatial", **self.options)
        self.pointwise = ConvNorm(filters, 1, name="pointwise", **self.options)

    def build(self, input_shape: Shape) -> None:
        build_in_order((self.spatial, self.pointwise), input_shape)

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        return call_in_order((self.spatial, self.pointwise), x, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.pointwise.compute_output_shape(self.spatial.compute_output_shape(input_shape))
