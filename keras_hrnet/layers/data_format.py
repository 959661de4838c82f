"""The data format of a map: whether the channels are its last axis or its first axis."""

from collections.abc import Sequence

import keras

Shape = tuple[int | None, ...]
"""The shape of a batch of maps, with None for a length that is known only at run time."""

Length = int | keras.KerasTensor
"""A number of pixels: an integer if it is known, otherwise a scalar tensor."""

Size = tuple[Length, Length]
"""Height and width."""


def standardize_data_format(data_format: str | None) -> str:
    """Returns `data_format`, or Keras's setting if it is None: "channels_last" or "channels_first".

    Raises:
        ValueError: if it is neither of the two.
    """
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"Received data_format={data_format!r}. Expected 'channels_last', 'channels_first', or None for Keras's "
            "setting. Pass one of them."
        )
    return data_format


def channel_axis(data_format: str) -> int:
    """Returns the axis of the channels in a batch of maps: -1 or 1."""
    return -1 if data_format == "channels_last" else 1


def spatial_axes(data_format: str) -> tuple[int, int]:
    """Returns the axes of height and width in a batch of maps: (1, 2) or (2, 3)."""
    return (1, 2) if data_format == "channels_last" else (2, 3)


def with_channels(shape: Shape, channels: int, data_format: str) -> Shape:
    """Returns the shape of a batch of maps with its number of channels replaced."""
    shape = list(shape)
    shape[channel_axis(data_format)] = channels
    return tuple(shape)


def with_spatial_size(shape: Shape, size: Sequence[int | None], data_format: str) -> Shape:
    """Returns the shape of a batch of maps with its (height, width) replaced."""
    shape = list(shape)
    for axis, length in zip(spatial_axes(data_format), size, strict=True):
        shape[axis] = length
    return tuple(shape)
