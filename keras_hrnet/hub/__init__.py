"""Provides HRNet, HRFormer and Lite-HRNet as KerasHub models: backbones, segmenters, preprocessing and presets.

The layers and weights are those of the networks of `keras_hrnet`. KerasHub is required:
`pip install "keras-hrnet[hub]"`. KerasHub finds these classes only after they are imported, so import this package
before `keras_hub.models.ImageSegmenter.from_preset(...)` reads a preset that they saved.
"""

try:
    import keras_hub  # noqa: F401 (imported only to report clearly that it is missing)
except ImportError as error:
    raise ImportError(
        f"`keras_hrnet.hub` could not import KerasHub: {error}. Expected the package keras-hub, which the rest of "
        'keras_hrnet does not need. Install it: pip install "keras-hrnet[hub]".'
    ) from error

from keras_hrnet.hub.backbone import HRNetBackbone
from keras_hrnet.hub.hrformer import (
    HRFormerBackbone,
    HRFormerImageConverter,
    HRFormerImageSegmenter,
    HRFormerImageSegmenterPreprocessor,
)
from keras_hrnet.hub.image_converter import HRNetImageConverter
from keras_hrnet.hub.image_segmenter import HRNetImageSegmenter
from keras_hrnet.hub.image_segmenter_preprocessor import HRNetImageSegmenterPreprocessor
from keras_hrnet.hub.lite_hrnet import (
    LiteHRNetBackbone,
    LiteHRNetImageConverter,
    LiteHRNetImageSegmenter,
    LiteHRNetImageSegmenterPreprocessor,
)

__all__ = [
    "HRFormerBackbone",
    "HRFormerImageConverter",
    "HRFormerImageSegmenter",
    "HRFormerImageSegmenterPreprocessor",
    "HRNetBackbone",
    "HRNetImageConverter",
    "HRNetImageSegmenter",
    "HRNetImageSegmenterPreprocessor",
    "LiteHRNetBackbone",
    "LiteHRNetImageConverter",
    "LiteHRNetImageSegmenter",
    "LiteHRNetImageSegmenterPreprocessor",
]
