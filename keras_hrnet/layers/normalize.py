"""Normalization of pixels. It is part of the network, so that an exported file accepts pixels."""

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.map_layer import MapLayer

# HRNet-Semantic-Segmentation, lib/datasets/base_dataset.py: mean and std of ImageNet, which apply to pixels in [0, 1]
# there.
MEAN_RGB_255 = (0.485 * 255, 0.456 * 255, 0.406 * 255)
STD_RGB_255 = (0.229 * 255, 0.224 * 255, 0.225 * 255)

DEFAULTS = {
    3: (MEAN_RGB_255, STD_RGB_255),
    1: ((sum(MEAN_RGB_255) / 3,), (sum(STD_RGB_255) / 3,)),
}
"""Default mean and standard deviation by number of channels: ImageNet's, or their averages for grayscale images."""


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Normalize(MapLayer):
    """Normalizes pixels as in training: subtracts the mean of each channel and divides by the standard deviation.

    The arithmetic is float32 under every dtype policy, because half precision represents pixels, but not their
    fractions.

    Args:
        divides: whether to divide by the standard deviation. `optimize_for_inference` sets this argument to False, and
            divides the kernel of the next convolution instead.
        mean: the mean of each channel, in the unit of the pixels. None uses the means of ImageNet, which are for RGB in
            [0, 255], or their average if there is a single channel.
        deviation: the standard deviation of each channel, with the same unit and defaults as `mean`.

    Call arguments:
        x: any dtype `(batch, height, width, channels)`: RGB in [0, 255], or values in the unit of `mean` and
            `deviation`.

    Returns:
        float `(batch, height, width, channels)`, about -2.2 to 2.7, of the layer's compute dtype; without the division,
        -124 to 152.

    Raises:
        ValueError: if `mean` or `deviation` does not hold one finite number for each channel; if one of them is not
            given, and the images have neither one nor three channels; or if a deviation is not greater than 0.
    """

    def __init__(
        self,
        *,
        divides: bool = True,
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.divides = divides
        self.mean = None if mean is None else tuple(map(float, mean))
        self.deviation = None if deviation is None else tuple(map(float, deviation))
        self.channels = None

    @property
    def is_of_pixels(self) -> bool:
        """Whether the layer normalizes pixels in [0, 255], and not values in another unit that the user chose."""
        return self.mean is None and self.deviation is None

    def build(self, input_shape: Shape) -> None:
        self.channels = input_shape[self.channel_axis]
        self.statistics = normalization(self.channels, self.mean, self.deviation)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        def of_channels(values: Sequence[float]) -> keras.KerasTensor:
            shape = [1, 1, 1, 1]
            shape[self.channel_axis] = self.channels
            return keras.ops.reshape(keras.ops.convert_to_tensor(values, dtype="float32"), shape)

        mean, deviation = self.statistics
        x = keras.ops.cast(x, "float32") - of_channels(mean)
        if self.divides:
            x = x / of_channels(deviation)
        return keras.ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


def normalization(
    channels: int,
    mean: Sequence[float] | None,
    deviation: Sequence[float] | None,
    receiver: str = "Normalize",
    remedy: str = "",
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Checks the mean and standard deviation that the user passes, and returns those of each channel.

    Args:
        channels: number of channels.
        mean: as `Normalize`.
        deviation: as `Normalize`.
        receiver: name of the layer or network that received the arguments, for errors.
        remedy: an additional sentence for errors about the number of channels, or an empty string.

    Raises:
        ValueError: as `Normalize`.
    """
    defaults = DEFAULTS.get(channels, (None, None))
    found = []
    for name, given, default in zip(("mean", "deviation"), (mean, deviation), defaults, strict=True):
        values = default if given is None else given
        if values is None:
            raise ValueError(
                f"`{receiver}` received images of {channels} channels without {name}. Expected the {name} of each "
                "channel, in the unit of the pixels: only RGB and grayscale images have a default. Pass the "
                f"mean and deviation of your training images, one number for each channel.{remedy}"
            )
        values = tuple(values) if isinstance(values, Iterable) else ()
        if len(values) != channels or not all(_is_allowed(name, value) for value in values):
            expected = "numbers above 0" if name == "deviation" else "finite numbers"
            raise ValueError(
                f"`{receiver}` received {name}={given!r} for images of {channels} channels. Expected a sequence of "
                f"{channels} {expected}, one for each channel, in the unit of the pixels. Pass {channels} of them."
                f"{remedy}"
            )
        found.append(tuple(float(value) for value in values))
    return tuple(found)


def _is_allowed(name, value):
    return isinstance(value, numbers.Real) and math.isfinite(value) and (name == "mean" or value > 0)
