"""Attention between two sets of pixels, for object context and self-attention, and padding to a multiple of a block."""

from collections.abc import Sequence

import keras

from keras_hrnet.layers.data_format import Length, Size
from keras_hrnet.layers.resize import spatial_size


def pixels_of(x: keras.KerasTensor, data_format: str) -> keras.KerasTensor:
    """Flattens height and width of a batch of maps: `(batch, height * width, channels)` in either data format."""
    if data_format == "channels_first":
        x = keras.ops.transpose(x, (0, 2, 3, 1))
    shape = keras.ops.shape(x)
    return keras.ops.reshape(x, (shape[0], -1, shape[3]))


def map_of(pixels: keras.KerasTensor, size: Size, data_format: str) -> keras.KerasTensor:
    """Restores the (height, width) of a batch of maps: the inverse of `pixels_of`."""
    shape = keras.ops.shape(pixels)
    x = keras.ops.reshape(pixels, (shape[0], *size, shape[2]))
    return keras.ops.transpose(x, (0, 3, 1, 2)) if data_format == "channels_first" else x


def softmax(x: keras.KerasTensor) -> keras.KerasTensor:
    """Computes the softmax over the last axis in float32 for any dtype, because half precision loses small values."""
    return keras.ops.cast(keras.ops.softmax(keras.ops.cast(x, "float32"), axis=-1), x.dtype)


def attend(query: keras.KerasTensor, key: keras.KerasTensor, value: keras.KerasTensor) -> keras.KerasTensor:
    """Computes for each query the mean of the values, weighted by the similarity of their keys to the query.

    Args:
        query: `(batch, queries, channels)`.
        key: `(batch, keys, channels)`.
        value: `(batch, keys, value_channels)`.

    Returns:
        `(batch, queries, value_channels)`.

    Reference: openseg.pytorch, lib/models/modules/isa_block.py, `SelfAttentionBlock2D.forward`, and
    spatial_ocr_block.py, `_ObjectAttentionBlock.forward`: the scale is channels ** -0.5.
    """
    # Scaling the keys is cheapest, because there are rarely more keys than queries.
    key = key * key.shape[-1] ** -0.5
    similarity = keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1)))
    return keras.ops.matmul(softmax(similarity), value)


def pad_to_blocks(x: keras.KerasTensor, block_size: tuple[int, int]) -> keras.KerasTensor:
    """Pads maps with zeros to a whole number of blocks, with half of the zeros before the map and half after it.

    Args:
        x: float `(batch, height, width, channels)`.
        block_size: (height, width) of a block, in pixels.
    """
    height, width = _padding_of(spatial_size(x, "channels_last"), block_size)
    if _is_zero((height, width)):
        return x
    around = ((0, 0), (height // 2, height - height // 2), (width // 2, width - width // 2), (0, 0))
    return keras.ops.pad(x, around)


def crop_to_size(x: keras.KerasTensor, size: Size, block_size: tuple[int, int]) -> keras.KerasTensor:
    """Crops the padding that `pad_to_blocks` added to maps.

    Args:
        x: float `(batch, padded height, padded width, channels)`.
        size: (height, width) before the padding.
        block_size: (height, width) of a block, in pixels.
    """
    padding = _padding_of(size, block_size)
    if _is_zero(padding):
        return x
    top, left = (length // 2 for length in padding)
    return x[:, top : top + size[0], left : left + size[1]]


def _padding_of(size: Size, block_size: tuple[int, int]) -> list[Length]:
    return [-length % step for length, step in zip(size, block_size, strict=True)]


def _is_zero(padding: Sequence[Length]) -> bool:
    # If a size is known only at run time, its padding is a tensor.
    return all(isinstance(length, int) and length == 0 for length in padding)
