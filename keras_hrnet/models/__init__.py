"""Builds the networks from layers, and transforms networks, for example to optimize them for inference."""

from keras_hrnet.families import VARIANTS, Cost, HRFormerVariant, LiteVariant, Variant
from keras_hrnet.heads import HEADS
from keras_hrnet.models.cost import cost
from keras_hrnet.models.hrnet import (
    HRFormerBase,
    HRFormerSmall,
    HRFormerTiny,
    HRNet,
    HRNetW18,
    HRNetW18Small,
    HRNetW18SmallV2,
    HRNetW30,
    HRNetW32,
    HRNetW40,
    HRNetW44,
    HRNetW48,
    HRNetW64,
    LiteHRNet18,
    LiteHRNet30,
    LiteHRNetNaive18,
    LiteHRNetWiderNaive18,
)
from keras_hrnet.models.inference import optimize_for_inference
from keras_hrnet.models.network import classes_of
from keras_hrnet.models.scales import with_scales
from keras_hrnet.models.supervised import SupervisedModel

__all__ = [
    "HEADS",
    "VARIANTS",
    "Cost",
    "HRFormerBase",
    "HRFormerSmall",
    "HRFormerTiny",
    "HRFormerVariant",
    "HRNet",
    "HRNetW18",
    "HRNetW18Small",
    "HRNetW18SmallV2",
    "HRNetW30",
    "HRNetW32",
    "HRNetW40",
    "HRNetW44",
    "HRNetW48",
    "HRNetW64",
    "LiteHRNet18",
    "LiteHRNet30",
    "LiteHRNetNaive18",
    "LiteHRNetWiderNaive18",
    "LiteVariant",
    "SupervisedModel",
    "Variant",
    "classes_of",
    "cost",
    "optimize_for_inference",
    "with_scales",
]
