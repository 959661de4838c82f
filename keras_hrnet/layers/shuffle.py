"""Channel shuffle, and the unit of ShuffleNetV2 that convolves half of the channels."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.convolution import ConvNorm
from keras_hrnet.layers.data_format import Shape, channel_axis, with_channels
from keras_hrnet.layers.depthwise import DepthwiseConvNorm
from keras_hrnet.layers.inside import call_in_order
from keras_hrnet.layers.map_layer import FoldableLayer, MapLayer
from keras_hrnet.layers.resize import spatial_size
from keras_hrnet.layers.sublayers import build_in_order


def halves(x: keras.KerasTensor, data_format: str) -> list[keras.KerasTensor]:
    """Splits a map into the first half and the second half of its channels."""
    return keras.ops.split(x, 2, axis=channel_axis(data_format))


def half_of(shape: Shape, data_format: str) -> Shape:
    """Returns the shape of half of the channels of a map.

    Raises:
        ValueError: if the number of channels is odd.
    """
    channels = shape[channel_axis(data_format)]
    if channels % 2:
        raise ValueError(
            f"Received a map of {channels} channels. Expected an even number, because the channels are divided into "
            "two halves. Change the width of the branch."
        )
    return with_channels(shape, channels // 2, data_format)


def shuffle(maps: Sequence[keras.KerasTensor], data_format: str) -> keras.KerasTensor:
    """Interleaves the channels of several maps; see `ChannelShuffle`."""
    height, width = spatial_size(maps[0], data_format)
    # With one axis for all pixels, no tensor has a rank above 4, the maximum that a phone's GPU supports.
    if data_format == "channels_last":
        channels = maps[0].shape[-1]
        x = keras.ops.concatenate([keras.ops.reshape(x, (-1, channels, 1)) for x in maps], axis=-1)
        return keras.ops.reshape(x, (-1, height, width, channels * len(maps)))
    channels = maps[0].shape[1]
    x = keras.ops.concatenate([keras.ops.reshape(x, (-1, channels, 1, height * width)) for x in maps], axis=2)
    return keras.ops.reshape(x, (-1, channels * len(maps), height, width))


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ChannelShuffle(MapLayer):
    """Joins maps by interleaving their channels, so that the next layer mixes the results of separate paths.

    The result is the concatenation of the maps, shuffled with one group for each map.

    Call arguments:
        inputs: a list of maps `(batch, height, width, channels)` of one shape.

    Returns:
        `(batch, height, width, len(inputs) * channels)`: first channel 0 of each map, then channel 1 of each, ….

    Reference: Zhang et al., "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices", 2018,
    section 3.1.

    Example:

    >>> import numpy as np
    >>> from keras_hrnet.layers import ChannelShuffle
    >>> maps = [np.reshape(values, (1, 1, 1, 3)) for values in ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])]
    >>> np.array(ChannelShuffle(data_format="channels_last")(maps)).ravel().tolist()
    [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]
    """

    def build(self, input_shape: Sequence[Shape]) -> None:
        if len({shape[self.channel_axis] for shape in input_shape}) > 1:
            raise ValueError(
                f"`ChannelShuffle` received maps of shapes {list(input_shape)}. Expected the same number of channels "
                "in all maps. Convolve the maps to the same width first."
            )

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        return shuffle(inputs, self.data_format)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        channels = sum(shape[self.channel_axis] for shape in input_shape)
        return with_channels(input_shape[0], channels, self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ShuffleUnit(FoldableLayer):
    """Applies 1x1, depthwise 3x3 and 1x1 convolutions to half of the channels of a map, and shuffles the two halves.

    Args:
        filters: channels of the map, an even number.

    Call arguments:
        x: float `(batch, height, width, filters)`.

    Returns:
        float of the same shape.

    Raises:
        ValueError: if the number of channels is odd.

    Reference: HRNet/Lite-HRNet, models/backbones/litehrnet.py, `ShuffleUnit`, with a stride of 1.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.convolutions = [
            ConvNorm(filters // 2, 1, name="conv0", **self.options),
            DepthwiseConvNorm(3, activation=None, name="conv1", **self.options),
            ConvNorm(filters // 2, 1, name="conv2", **self.options),
        ]

    def build(self, input_shape: Shape) -> None:
        build_in_order(self.convolutions, half_of(input_shape, self.data_format))

    def call(self, x: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        kept, x = halves(x, self.data_format)
        return shuffle([kept, call_in_order(self.convolutions, x, training)], self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)
