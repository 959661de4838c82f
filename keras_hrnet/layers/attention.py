"""Attention between two sets of pixels, for object context and self-attention."""

import keras

from keras_hrnet.layers.data_format import Size


def pixels_of(x: keras.KerasTensor, data_format: str) -> keras.KerasTensor:
    """Flattens height and width of a batch of maps.

    Args:
        x: `(batch, height, width, channels)`, or channels first.
        data_format: "channels_last" or "channels_first".

    Returns:
        `(batch, height * width, channels)`.
    """
    if data_format == "channels_first":
        x = keras.ops.transpose(x, (0, 2, 3, 1))
    shape = keras.ops.shape(x)
    return keras.ops.reshape(x, (shape[0], -1, shape[3]))


def map_of(pixels: keras.KerasTensor, size: Size, data_format: str) -> keras.KerasTensor:
    """Restores height and width of a batch of maps: the inverse of `pixels_of`.

    Args:
        pixels: `(batch, height * width, channels)`.
        size: (height, width).
        data_format: "channels_last" or "channels_first".

    Returns:
        `(batch, height, width, channels)`, or channels first.
    """
    shape = keras.ops.shape(pixels)
    x = keras.ops.reshape(pixels, (shape[0], *size, shape[2]))
    return keras.ops.transpose(x, (0, 3, 1, 2)) if data_format == "channels_first" else x


def softmax(x: keras.KerasTensor) -> keras.KerasTensor:
    """Computes the softmax over the last axis in float32 for any dtype: half precision loses small shares."""
    return keras.ops.cast(keras.ops.softmax(keras.ops.cast(x, "float32"), axis=-1), x.dtype)


def attend(query: keras.KerasTensor, key: keras.KerasTensor, value: keras.KerasTensor) -> keras.KerasTensor:
    """Computes for each query the mean of the values, weighted by the similarity of their keys.

    Args:
        query: `(batch, queries, channels)`.
        key: `(batch, keys, channels)`.
        value: `(batch, keys, value_channels)`.

    Returns:
        `(batch, queries, value_channels)`.

    Reference: openseg.pytorch, lib/models/modules/isa_block.py, `SelfAttentionBlock2D.forward`, and
    spatial_ocr_block.py, `_ObjectAttentionBlock.forward`: the scale is channels ** -0.5.
    """
    # Scaling the keys is cheapest: there are seldom more keys than queries.
    key = key * key.shape[-1] ** -0.5
    similarity = keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1)))
    return keras.ops.matmul(softmax(similarity), value)
