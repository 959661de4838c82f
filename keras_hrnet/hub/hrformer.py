"""HRFormer as KerasHub models."""

from __future__ import annotations

from typing import Any

import keras

from keras_hrnet.families import HRFormerVariant
from keras_hrnet.hub.backbone import HighResolutionBackbone
from keras_hrnet.hub.image_converter import HRNetImageConverter
from keras_hrnet.hub.image_segmenter import HighResolutionSegmenter
from keras_hrnet.hub.image_segmenter_preprocessor import HRNetImageSegmenterPreprocessor


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRFormerBackbone(HighResolutionBackbone):
    """HRFormer without a head, with the layers and weight names of `keras_hrnet.HRNet(HRFormerVariant(…), head=None)`.

    Args:
        width, num_heads, stage1_blocks, stage1_filters, modules, blocks, window_size, drop_path: as in
            `keras_hrnet.HRFormerVariant`.
        interpolation: how a head upsamples maps, "bilinear" or "nearest". It must match the weights.
        align_corners: whether bilinear resizing aligns the centers of the corner pixels. It must match the weights.
        **kwargs: `image_shape`, `mean`, `deviation`, `data_format`, `dtype` and `name`, as in `HRNetBackbone`.

    Inputs and outputs are those of `HRNetBackbone`.

    Example:

    >>> from keras_hrnet.hub import HRFormerBackbone
    >>> tiny = HRFormerBackbone(8, 1, 1, 8, (1, 1, 1), 1, image_shape=(64, 96, 3), data_format="channels_last")
    >>> tiny.pyramid_outputs["P4"].shape
    (None, 4, 6, 32)
    """

    family = HRFormerVariant

    def __init__(
        self,
        width: int,
        num_heads: int = 1,
        stage1_blocks: int = 2,
        stage1_filters: int = 64,
        modules: tuple[int, int, int] = (1, 4, 2),
        blocks: int = 2,
        window_size: int = 7,
        drop_path: float | None = None,
        interpolation: str = "bilinear",
        align_corners: bool = True,
        **kwargs: Any,
    ):
        sizes = width, num_heads, stage1_blocks, stage1_filters, modules, blocks, window_size, drop_path
        super().__init__(HRFormerVariant("HRFormerBackbone", *sizes), interpolation, align_corners, **kwargs)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRFormerImageConverter(HRNetImageConverter):
    """Resizes images as `HRNetImageConverter` does, for presets of HRFormer."""

    backbone_cls = HRFormerBackbone


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRFormerImageSegmenterPreprocessor(HRNetImageSegmenterPreprocessor):
    """Resizes images and labels as `HRNetImageSegmenterPreprocessor` does, for presets of HRFormer."""

    backbone_cls = HRFormerBackbone
    image_converter_cls = HRFormerImageConverter


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HRFormerImageSegmenter(HighResolutionSegmenter):
    """HRFormer for semantic segmentation, with the layers and weight names of the network of `keras_hrnet`.

    Args:
        backbone: an `HRFormerBackbone`. Training the segmenter trains it.
        num_classes, preprocessor, class_names, activation, and **kwargs: as in `HRNetImageSegmenter`.
        head: "fcn", "ocr", "isa" or "iterative"; None for the published head, "ocr" with its auxiliary logits.

    Inputs and outputs are those of `HRNetImageSegmenter`.

    Example:

    >>> from keras_hrnet.hub import HRFormerBackbone, HRFormerImageSegmenter
    >>> tiny = HRFormerBackbone(8, 1, 1, 8, (1, 1, 1), 1, data_format="channels_last")
    >>> HRFormerImageSegmenter(tiny, num_classes=5, head="fcn").output_shape
    (None, None, None, 5)
    """

    backbone_cls = HRFormerBackbone
    preprocessor_cls = HRFormerImageSegmenterPreprocessor
