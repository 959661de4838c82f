"""Converts images and logits between the user's data format and that of the networks, which is channels last."""

from __future__ import annotations

import keras


def to_channels_last(image: keras.KerasTensor, data_format: str) -> keras.KerasTensor:
    """Converts a symbolic image from the user's format to channels last; a transposed image becomes float32."""
    if data_format == "channels_last":
        return image
    return keras.layers.Permute((2, 3, 1), dtype="float32", name="to_channels_last")(image)


def from_channels_last(x: keras.KerasTensor, data_format: str, name: str) -> keras.KerasTensor:
    """Converts a symbolic map to the user's format; if it has to be transposed, that layer has the name `name`."""
    if data_format == "channels_last":
        return x
    return keras.layers.Permute((3, 1, 2), dtype=x.dtype, name=name)(x)
