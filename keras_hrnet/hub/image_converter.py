"""Resizes images to the input size of a KerasHub model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import keras_hub

from keras_hrnet.hub.backbone import HRNetBackbone


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRNetImageConverter(keras_hub.layers.ImageConverter):
    """Resizes images, and does not normalize their pixels, because the network normalizes them.

    Args:
        image_size: (height, width) of the resized images; None to leave images unchanged.
        scale: the factor by which pixels are multiplied, or one factor per channel; None for no scaling. Use `255.0`
            for images in [0, 1].
        offset: the number that is added to the scaled pixels, or one number per channel; None for no offset.
        crop_to_aspect_ratio: whether to first crop an image to the aspect ratio of `image_size`. Unlike in KerasHub's
            own class, this is not the default, because a street scene would lose its left and right sides.
        data_format: "channels_last" or "channels_first"; None for Keras's setting.
        **kwargs: the other arguments of `keras_hub.layers.ImageConverter`: `pad_to_aspect_ratio`, `interpolation`,
            `antialias`, `bounding_box_format`, `dtype`, `name`.

    Call arguments:
        inputs: any dtype `(height, width, 3)` or `(batch, height, width, 3)`, RGB pixels in [0, 255].

    Returns:
        The images with the height and width of `image_size`: float32 inside `tf.data`. In a direct call, the result
        for uint8 images is rounded to uint8.
    """

    backbone_cls = HRNetBackbone

    def __init__(
        self,
        image_size: tuple[int, int] | None = None,
        scale: float | Sequence[float] | None = None,
        offset: float | Sequence[float] | None = None,
        crop_to_aspect_ratio: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_size, scale, offset, crop_to_aspect_ratio, data_format=data_format, **kwargs)
        # KerasHub keeps Keras's default of 0.0, which TensorFlow does not convert to uint8.
        self.resizing.fill_value = 0

    def get_config(self) -> dict[str, Any]:
        # KerasHub's own config omits it.
        return {**super().get_config(), "data_format": self.data_format}
