"""What brings images to the size that a KerasHub model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import keras_hub

from keras_hrnet.hub.backbone import HRNetBackbone


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRNetImageConverter(keras_hub.layers.ImageConverter):
    """Resizes images, and leaves their pixels in [0, 255]: normalization is in the network.

    Args:
        image_size: (height, width) of the result; None to leave every image as it is.
        scale: a number, or one a channel, to multiply pixels by; None for none. `255.0` suits images in [0, 1].
        offset: a number, or one a channel, to add after that; None for none.
        crop_to_aspect_ratio: whether to cut an image to the proportions of `image_size` first. Unlike in KerasHub's
            own class it is not the default: a street scene would lose its sides.
        data_format: "channels_last", "channels_first", or None for Keras's setting.
        **kwargs: the other arguments of `keras_hub.layers.ImageConverter`: `pad_to_aspect_ratio`, `interpolation`,
            `antialias`, `bounding_box_format`, `dtype`, `name`.

    Call arguments:
        inputs: any dtype `(height, width, 3)` or `(batch, height, width, 3)`, RGB in [0, 255].

    Returns:
        The same, of height and width `image_size`: of its own dtype when called, where bytes are rounded, and float
        inside `tf.data`.
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
        # KerasHub leaves Keras's 0.0, which TensorFlow does not put into bytes.
        self.resizing.fill_value = 0

    def get_config(self) -> dict[str, Any]:
        # KerasHub's own config leaves it out.
        return {**super().get_config(), "data_format": self.data_format}
