"""Attention between two sets of pixels: what object context and self-attention share."""

import keras


def pixels_of(x, data_format):
    """Lays the pixels of a batch of maps in a row.

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


def map_of(pixels, size, data_format):
    """Lays a row of pixels out as a batch of maps: the inverse of `pixels_of`.

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


def softmax(x):
    """Computes the softmax over the last axis, in float32 whatever comes: half precision loses small shares."""
    return keras.ops.cast(keras.ops.softmax(keras.ops.cast(x, "float32"), axis=-1), x.dtype)


def attend(query, key, value):
    """Gives each query the mean of the values, weighted by how well their keys fit.

    Args:
        query: `(batch, queries, channels)`.
        key: `(batch, keys, channels)`.
        value: `(batch, keys, value_channels)`.

    Returns:
        `(batch, queries, value_channels)`.

    Reference: openseg.pytorch, lib/models/modules/isa_block.py, `SelfAttentionBlock2D.forward`, and
    spatial_ocr_block.py, `_ObjectAttentionBlock.forward`: the scale is channels ** -0.5.
    """
    # On the key, the scale is the cheapest: there are seldom more keys than queries.
    key = key * key.shape[-1] ** -0.5
    similarity = keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1)))
    return keras.ops.matmul(softmax(similarity), value)
