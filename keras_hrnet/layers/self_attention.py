"""Interlaced sparse self-attention: every pixel attends to every other pixel in two inexpensive steps."""

from typing import Any

import keras

from keras_hrnet.layers.attention import attend, crop_to_size, map_of, pad_to_blocks, pixels_of
from keras_hrnet.layers.convolution import ConvNorm, Convolution, HeNormalFanOut
from keras_hrnet.layers.data_format import Length, Shape, with_channels
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.resize import spatial_size
from keras_hrnet.layers.sublayers import build_in_order


@keras.saving.register_keras_serializable(package="keras_hrnet")
class SelfAttention(FoldableLayer):
    """Computes for each pixel the mean of all pixels of the map, weighted by their similarity to that pixel.

    Args:
        filters: channels of the result.
        key_channels: channels of the queries and keys with which pixels are compared.
        value_channels: channels of the values, which are averaged.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, height, width, filters)`.

    Reference: openseg.pytorch, lib/models/modules/isa_block.py, `SelfAttentionBlock2D`.
    """

    def __init__(self, filters: int, key_channels: int, value_channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.key_channels = key_channels
        self.value_channels = value_channels
        self.f_query_0 = self.make_convolution(key_channels, "f_query_0")
        self.f_query_2 = self.make_convolution(key_channels, "f_query_2")
        self.f_key_0 = self.make_convolution(key_channels, "f_key_0")
        self.f_key_2 = self.make_convolution(key_channels, "f_key_2")
        of_value = {"use_bias": False, "kernel_initializer": HeNormalFanOut()}
        self.f_value = Convolution(value_channels, 1, **of_value, name="f_value", **self.plain_options)
        self.w_0 = self.make_convolution(filters, "w_0")

    def make_convolution(self, filters: int, name: str) -> ConvNorm:
        return ConvNorm(filters, 1, name=name, **self.options)

    def build(self, input_shape: Shape) -> None:
        for pair in ((self.f_query_0, self.f_query_2), (self.f_key_0, self.f_key_2), (self.f_value, self.w_0)):
            build_in_order(pair, input_shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        maps = self.f_query_2(self.f_query_0(x)), self.f_key_2(self.f_key_0(x)), self.f_value(x)
        context = attend(*(pixels_of(y, self.data_format) for y in maps))
        return self.w_0(map_of(context, spatial_size(x, self.data_format), self.data_format))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return with_channels(input_shape, self.filters, self.data_format)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class InterlacedAttention(FoldableLayer):
    """Lets every pixel attend to every other pixel by two `SelfAttention`: first across blocks, then within each block.

    The map is divided into blocks. The first attention connects the pixels at the same position in all blocks, and the
    second connects the pixels of each block. Together they connect all pixels, at a much lower cost than one attention
    over all pixels. The map is padded with zeros to whole blocks, as in the reference, and cropped afterwards. No
    tensor has more than four dimensions, the maximum that a phone's GPU supports.

    Args:
        filters, key_channels, value_channels: as in `SelfAttention`.
        block_size: (height, width) of a block in pixels of the map.

    Call arguments:
        x: float `(batch, height, width, channels)`, of any height and width.

    Returns:
        float `(batch, height, width, filters)`.

    Raises:
        ValueError: if `block_size` does not consist of two whole numbers of at least 1.

    Reference: openseg.pytorch, lib/models/modules/isa_block.py, `ISA_Block`; Huang et al., "Interlaced Sparse
    Self-Attention for Semantic Segmentation", 2019.
    """

    def __init__(
        self,
        filters: int,
        key_channels: int,
        value_channels: int,
        block_size: tuple[int, int] = (8, 8),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.key_channels = key_channels
        self.value_channels = value_channels
        self.block_size = tuple(block_size)
        if len(self.block_size) != 2 or any(not isinstance(n, int) or n < 1 for n in self.block_size):
            raise ValueError(
                f"Received block_size={block_size}. Expected (height, width), two whole numbers of at least 1. Pass, "
                "for example, (8, 8), as published."
            )
        arguments = (filters, key_channels, value_channels)
        # Internally, blocks are batches of channels_last maps.
        options = {**self.options, "data_format": "channels_last"}
        self.long_range_sa = SelfAttention(*arguments, name="long_range_sa", **options)
        self.short_range_sa = SelfAttention(*arguments, name="short_range_sa", **options)

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[self.channel_axis]
        self.long_range_sa.build((None, None, 1, channels))
        self.short_range_sa.build((None, None, 1, self.filters))

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if self.data_format == "channels_first":
            x = keras.ops.transpose(x, (0, 2, 3, 1))
        size = spatial_size(x, "channels_last")
        x = pad_to_blocks(x, self.block_size)
        rows = keras.ops.shape(x)[1] // self.block_size[0]
        columns = keras.ops.shape(x)[2] // self.block_size[1]

        x = _to_places(x, rows, columns, self.block_size)
        x = self.long_range_sa(x)
        x = _places_to_blocks(x, rows * columns, self.block_size)
        x = self.short_range_sa(x)
        x = _from_blocks(x, rows, columns, self.block_size)

        x = crop_to_size(x, size, self.block_size)
        return keras.ops.transpose(x, (0, 3, 1, 2)) if self.data_format == "channels_first" else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return with_channels(input_shape, self.filters, self.data_format)


def _to_places(x: keras.KerasTensor, rows: Length, columns: Length, block_size: tuple[int, int]) -> keras.KerasTensor:
    """Converts maps to one "image" for each position in a block: `(batch * place, block, 1, channels)`."""
    (height, width), channels = block_size, x.shape[-1]
    # (batch * row of blocks, line in block, column of blocks, pixel in line * channels)
    x = keras.ops.reshape(x, (-1, height, columns, width * channels))
    x = keras.ops.transpose(x, (0, 2, 1, 3))
    # (batch, block, place in block, channels)
    x = keras.ops.reshape(x, (-1, rows * columns, height * width, channels))
    x = keras.ops.transpose(x, (0, 2, 1, 3))
    return keras.ops.reshape(x, (-1, rows * columns, 1, channels))


def _places_to_blocks(x: keras.KerasTensor, num_blocks: Length, block_size: tuple[int, int]) -> keras.KerasTensor:
    """Converts `(batch * place, block, 1, channels)` to `(batch * block, place, 1, channels)`."""
    places, channels = block_size[0] * block_size[1], x.shape[-1]
    x = keras.ops.reshape(x, (-1, places, num_blocks, channels))
    x = keras.ops.transpose(x, (0, 2, 1, 3))
    return keras.ops.reshape(x, (-1, places, 1, channels))


def _from_blocks(x: keras.KerasTensor, rows: Length, columns: Length, block_size: tuple[int, int]) -> keras.KerasTensor:
    """Converts `(batch * block, place, 1, channels)` back to maps."""
    (height, width), channels = block_size, x.shape[-1]
    x = keras.ops.reshape(x, (-1, columns, height, width * channels))
    x = keras.ops.transpose(x, (0, 2, 1, 3))
    return keras.ops.reshape(x, (-1, rows * height, columns * width, channels))


@keras.saving.register_keras_serializable(package="keras_hrnet")
class InterlacedContext(FoldableLayer):
    """Concatenates each pixel's features with the result of `InterlacedAttention`, and convolves them 1x1.

    The inputs and outputs are those of `InterlacedAttention`.

    Args:
        filters, key_channels, value_channels, block_size: as in `InterlacedAttention`.
        dropout: fraction of the channels that training sets to zero.

    Reference: openseg.pytorch, lib/models/modules/isa_block.py, `ISA_Module` with one block size.
    """

    def __init__(
        self,
        filters: int,
        key_channels: int,
        value_channels: int,
        block_size: tuple[int, int] = (8, 8),
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.key_channels = key_channels
        self.value_channels = value_channels
        self.block_size = tuple(block_size)
        self.dropout = dropout
        self.isa_block = InterlacedAttention(
            filters, key_channels, value_channels, self.block_size, name="isa_block", **self.options
        )
        self.conv_bn = ConvNorm(filters, 1, name="conv_bn", **self.options)
        self.drop = keras.layers.SpatialDropout2D(dropout, name="drop", **self.plain_options)

    def build(self, input_shape: Shape) -> None:
        self.isa_block.build(input_shape)
        shape = with_channels(input_shape, input_shape[self.channel_axis] + self.filters, self.data_format)
        build_in_order((self.conv_bn, self.drop), shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        context = self.isa_block(x)
        x = keras.ops.concatenate([x, context], axis=self.channel_axis)
        return self.drop(self.conv_bn(x))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.isa_block.compute_output_shape(input_shape)
