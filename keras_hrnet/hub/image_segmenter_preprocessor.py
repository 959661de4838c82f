"""Resizes images and labels to the input size of a KerasHub segmenter."""

from __future__ import annotations

from typing import Any

import keras
import keras_hub
import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.hub.backbone import HRNetBackbone
from keras_hrnet.hub.image_converter import HRNetImageConverter


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRNetImageSegmenterPreprocessor(keras_hub.models.ImageSegmenterPreprocessor):
    """Resizes images and their labels; labels are resized by nearest neighbor, so that they are never blended.

    If the converter crops or pads an image, the labels are cropped likewise, or padded with 255 (ignored). The
    preprocessor runs eagerly and inside `tf.data`. A segmenter does not need it if all images have the same size.

    Args:
        image_converter: an `HRNetImageConverter`; None to leave images and labels unchanged.
        resize_output_mask: whether labels are also resized. Logits have the size of the resized image.
        **kwargs: the arguments of every Keras layer.

    Call arguments:
        x: any dtype `(height, width, 3)` or `(batch, height, width, 3)`, RGB in [0, 255].
        y: integer `(height, width)` or `(batch, height, width)`, or with another last axis of length 1: train ids, and
            255 for ignored pixels.
        sample_weight: returned unchanged.

    Returns:
        The images, (images, labels), or (images, labels, sample_weight), by the arguments. Labels keep their dtype.
    """

    backbone_cls = HRNetBackbone
    image_converter_cls = HRNetImageConverter

    def __init__(
        self, image_converter: HRNetImageConverter | None = None, resize_output_mask: bool = True, **kwargs: Any
    ):
        super().__init__(image_converter=image_converter, resize_output_mask=resize_output_mask, **kwargs)

    def call(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        images = super().call(x)
        if y is not None and self.resize_output_mask and self.image_size is not None:
            y = self.resize_labels(y, image_rank=len(images.shape))
        return keras.utils.pack_x_y_sample_weight(images, y, sample_weight)

    def resize_labels(self, labels: Any, image_rank: int) -> Any:
        labels = labels if hasattr(labels, "dtype") else np.asarray(labels)
        # Created in each call, because the size of the image converter can change at any time.
        resizing = keras.layers.Resizing(
            *self.image_size,
            interpolation="nearest",
            crop_to_aspect_ratio=self.image_converter.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.image_converter.pad_to_aspect_ratio,
            fill_value=IGNORE_LABEL,
            data_format="channels_last",
            dtype=keras.backend.standardize_dtype(labels.dtype),
        )
        if len(labels.shape) == image_rank:
            return resizing(labels)
        return resizing(labels[..., None])[..., 0]

    def get_config(self) -> dict[str, Any]:
        # KerasHub's own config omits it.
        return {**super().get_config(), "resize_output_mask": self.resize_output_mask}
