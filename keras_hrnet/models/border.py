"""Where images and logits cross between the user's data format and the networks', which is channels last."""

from __future__ import annotations

import keras


def to_channels_last(image: keras.KerasTensor, data_format: str) -> keras.KerasTensor:
    """Brings a symbolic image of the user's format to channels last, as float32 where it has to move."""
    if data_format == "channels_last":
        return image
    return keras.layers.Permute((2, 3, 1), dtype="float32", name="to_channels_last")(image)


def from_channels_last(x: keras.KerasTensor, data_format: str, name: str) -> keras.KerasTensor:
    """Brings a symbolic map to the user's format, by a layer called `name` where it has to move."""
    if data_format == "channels_last":
        return x
    return keras.layers.Permute((3, 1, 2), dtype=x.dtype, name=name)(x)
