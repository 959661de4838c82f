"""Conditional channel weighting, which Lite-HRNet uses instead of 1x1 convolutions."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.adaptive_mean import adaptive_mean
from keras_hrnet.layers.convolution import ConvNorm, Convolution
from keras_hrnet.layers.data_format import Shape, spatial_axes, with_channels, with_spatial_size
from keras_hrnet.layers.depthwise import DepthwiseConvNorm
from keras_hrnet.layers.inside import call_in_order, call_inside
from keras_hrnet.layers.map_layer import FoldableLayer, MapLayer
from keras_hrnet.layers.resize import resize, spatial_size
from keras_hrnet.layers.shuffle import half_of, halves, shuffle
from keras_hrnet.layers.sublayers import build_in_order


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SpatialWeighting(MapLayer):
    """Multiplies each channel of a map by a weight in (0, 1), computed from the means of all channels.

    Args:
        ratio: the number of channels of the map, divided by that of the hidden layer.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float of the same shape.

    Raises:
        ValueError: if the map has fewer channels than `ratio`.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `SpatialWeighting`.
    """

    def __init__(self, ratio: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ratio = ratio
        self.convolutions = []

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[self.channel_axis]
        self.convolutions = [
            Convolution(_reduced(channels, self.ratio), 1, activation="relu", name="conv1", **self.options),
            Convolution(channels, 1, activation="sigmoid", name="conv2", **self.options),
        ]
        build_in_order(self.convolutions, with_spatial_size(input_shape, (1, 1), self.data_format))

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        # Half precision cannot hold the sum of many pixels.
        means = keras.ops.mean(keras.ops.cast(x, "float32"), axis=spatial_axes(self.data_format), keepdims=True)
        weights = keras.ops.cast(means, x.dtype)
        for convolution in self.convolutions:
            weights = call_inside(convolution, weights)
        return x * weights

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class CrossResolutionWeighting(FoldableLayer):
    """Multiplies each map by weights in (0, 1), computed from all maps at the size of the coarsest map.

    Args:
        ratio: the total number of channels of all maps, divided by that of the hidden layer.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first.

    Returns:
        A list of the same shapes.

    Raises:
        ValueError: if the total number of channels of all maps is smaller than `ratio`.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `CrossResolutionWeighting`.
    """

    def __init__(self, ratio: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ratio = ratio
        self.widths = []
        self.convolutions = []

    def build(self, input_shape: Sequence[Shape]) -> None:
        self.widths = [shape[self.channel_axis] for shape in input_shape]
        total = sum(self.widths)
        self.convolutions = [
            ConvNorm(_reduced(total, self.ratio), 1, name="conv1", **self.options),
            ConvNorm(total, 1, activation="sigmoid", name="conv2", **self.options),
        ]
        build_in_order(self.convolutions, with_channels(input_shape[-1], total, self.data_format))

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        size = spatial_size(inputs[-1], self.data_format)
        means = [*(adaptive_mean(x, size, self.data_format) for x in inputs[:-1]), inputs[-1]]
        x = call_in_order(self.convolutions, keras.ops.concatenate(means, axis=self.channel_axis), training)
        # Slices are used because TFLite's delegates do not support a `split` into parts of different sizes.
        weights = [self.channels_of(x, sum(self.widths[:i]), width) for i, width in enumerate(self.widths)]
        return [
            x * resize(weight, spatial_size(x, self.data_format), "nearest", data_format=self.data_format)
            for x, weight in zip(inputs, weights, strict=True)
        ]

    def channels_of(self, x: keras.KerasTensor, start: int, width: int) -> keras.KerasTensor:
        return x[..., start : start + width] if self.channel_axis == -1 else x[:, start : start + width]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> list[Shape]:
        return [tuple(shape) for shape in input_shape]


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ConditionalChannelWeighting(FoldableLayer):
    """Weights half of the channels of each map, convolves them depthwise, and weights them again.

    The first weights are computed from all maps (`CrossResolutionWeighting`), the second from the means of the map
    itself (`SpatialWeighting`). The other half of the channels passes through unchanged; then the channels of the two
    halves are shuffled. The layer takes the maps of all branches together, because their weights depend on each other.

    Args:
        ratio: the ratio of the `CrossResolutionWeighting`.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first, with even numbers of channels.

    Returns:
        A list of the same shapes.

    Raises:
        ValueError: if a number of channels is odd, or too small for the ratios.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `ConditionalChannelWeighting`.
    """

    def __init__(self, ratio: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ratio = ratio
        self.weighting = CrossResolutionWeighting(ratio, name="cross_resolution_weighting", **self.options)
        # Each list has one layer for every branch.
        self.convolutions = []
        self.spatial_weightings = []

    def build(self, input_shape: Sequence[Shape]) -> None:
        shapes = [half_of(shape, self.data_format) for shape in input_shape]
        self.weighting.build(shapes)
        for i, shape in enumerate(shapes):
            self.convolutions.append(DepthwiseConvNorm(3, activation=None, name=f"depthwise_convs_{i}", **self.options))
            self.spatial_weightings.append(
                SpatialWeighting(name=f"spatial_weighting_{i}", data_format=self.data_format, dtype=self.dtype_policy)
            )
            self.convolutions[i].build(shape)
            self.spatial_weightings[i].build(shape)

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        kept, weighted = zip(*(halves(x, self.data_format) for x in inputs), strict=True)
        weighted = call_inside(self.weighting, list(weighted), training=training)
        outputs = []
        for i, x in enumerate(weighted):
            x = call_inside(self.convolutions[i], x, training=training)
            outputs.append(shuffle([kept[i], call_inside(self.spatial_weightings[i], x)], self.data_format))
        return outputs

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> list[Shape]:
        return [tuple(shape) for shape in input_shape]


def _reduced(channels: int, ratio: int) -> int:
    if channels < ratio:
        raise ValueError(
            f"Received maps of {channels} channels with a ratio of {ratio}. Expected at least {ratio} channels, so "
            "that the hidden layer has one. Widen the branches, or lower the ratio."
        )
    return channels // ratio
