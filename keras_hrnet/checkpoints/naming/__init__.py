"""Formats of weight files, in one file each, which state how they name the weights of this package's layers."""

from collections.abc import Collection

from keras_hrnet.checkpoints.naming.csailvision import CSAILVISION
from keras_hrnet.checkpoints.naming.format import Format
from keras_hrnet.checkpoints.naming.lite_hrnet import LITE_HRNET
from keras_hrnet.checkpoints.naming.mmsegmentation import MMSEGMENTATION
from keras_hrnet.checkpoints.naming.nvidia import NVIDIA
from keras_hrnet.checkpoints.naming.official import BARE_BACKBONE, CLASSIFICATION, SEGMENTATION, name_of
from keras_hrnet.checkpoints.naming.openseg import OPENSEG
from keras_hrnet.checkpoints.naming.prefixed import PREFIXED_BACKBONE
from keras_hrnet.checkpoints.naming.ssld import SSLD
from keras_hrnet.families import is_backbone

# The first format that recognizes the keys is used: a format with a head comes before the backbone that it shares with
# others.
FORMATS = (
    NVIDIA,
    MMSEGMENTATION,
    OPENSEG,
    CSAILVISION,
    SSLD,
    CLASSIFICATION,
    SEGMENTATION,
    LITE_HRNET,
    PREFIXED_BACKBONE,
    BARE_BACKBONE,
)

__all__ = [
    "BARE_BACKBONE",
    "CLASSIFICATION",
    "CSAILVISION",
    "FORMATS",
    "LITE_HRNET",
    "MMSEGMENTATION",
    "NVIDIA",
    "OPENSEG",
    "PREFIXED_BACKBONE",
    "SEGMENTATION",
    "SSLD",
    "Format",
    "is_backbone",
    "name_of",
    "recognize",
]


def recognize(keys: Collection[str]) -> Format | None:
    """Returns the format of a weight file by its keys without a wrapper's prefix; None if it is not supported."""
    return next((one for one in FORMATS if one.recognizes(keys)), None)
