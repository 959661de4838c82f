"""Lite-HRNet as KerasHub models."""

from __future__ import annotations

from typing import Any

import keras

from keras_hrnet.families import LiteVariant
from keras_hrnet.hub.backbone import HighResolutionBackbone
from keras_hrnet.hub.image_converter import HRNetImageConverter
from keras_hrnet.hub.image_segmenter import HighResolutionSegmenter
from keras_hrnet.hub.image_segmenter_preprocessor import HRNetImageSegmenterPreprocessor


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteHRNetBackbone(HighResolutionBackbone):
    """Lite-HRNet without a head, with the layers and weight names of `keras_hrnet.HRNet(LiteVariant(…), head=None)`.

    Args:
        width, modules, blocks, block: as in `keras_hrnet.LiteVariant`.
        interpolation: how a head upsamples maps, "bilinear" or "nearest". It must match the weights.
        align_corners: whether bilinear resizing aligns the centers of the corner pixels. It must match the weights.
        **kwargs: `image_shape`, `mean`, `deviation`, `data_format`, `dtype` and `name`, as in `HRNetBackbone`.

    Inputs and outputs are those of `HRNetBackbone`.

    Example:

    >>> from keras_hrnet.hub import LiteHRNetBackbone
    >>> tiny = LiteHRNetBackbone(16, (1, 1, 1), 1, image_shape=(64, 96, 3), data_format="channels_last")
    >>> tiny.pyramid_outputs["P4"].shape
    (None, 4, 6, 64)
    """

    family = LiteVariant

    def __init__(
        self,
        width: int = 40,
        modules: tuple[int, int, int] = (2, 4, 2),
        blocks: int = 2,
        block: str = "weighting",
        interpolation: str = "bilinear",
        align_corners: bool = False,
        **kwargs: Any,
    ):
        variant = LiteVariant("LiteHRNetBackbone", width, modules, blocks, block)
        super().__init__(variant, interpolation, align_corners, **kwargs)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteHRNetImageConverter(HRNetImageConverter):
    """Resizes images as `HRNetImageConverter` does, for presets of Lite-HRNet."""

    backbone_cls = LiteHRNetBackbone


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteHRNetImageSegmenterPreprocessor(HRNetImageSegmenterPreprocessor):
    """Resizes images and labels as `HRNetImageSegmenterPreprocessor` does, for presets of Lite-HRNet."""

    backbone_cls = LiteHRNetBackbone
    image_converter_cls = LiteHRNetImageConverter


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LiteHRNetImageSegmenter(HighResolutionSegmenter):
    """Lite-HRNet for semantic segmentation, with the layers and weight names of the network of `keras_hrnet`.

    Args:
        backbone: a `LiteHRNetBackbone`. Training the segmenter trains it.
        num_classes, preprocessor, class_names, activation, and **kwargs: as in `HRNetImageSegmenter`.
        head: "fcn", "ocr", "isa" or "iterative"; None for the published head, "iterative".

    Inputs and outputs are those of `HRNetImageSegmenter`.

    Example:

    >>> from keras_hrnet.hub import LiteHRNetBackbone, LiteHRNetImageSegmenter
    >>> tiny = LiteHRNetBackbone(16, (1, 1, 1), 1, data_format="channels_last")
    >>> LiteHRNetImageSegmenter(tiny, num_classes=5).output_shape
    (None, None, None, 5)
    """

    backbone_cls = LiteHRNetBackbone
    preprocessor_cls = LiteHRNetImageSegmenterPreprocessor
