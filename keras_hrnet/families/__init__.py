"""The families of networks; each file defines the rows, backbone, cost and weight names of one family."""

import re

from keras_hrnet.families.counting import ConvolutionCost, Cost
from keras_hrnet.families.family import Family, LayerOptions
from keras_hrnet.families.hrformer import HRFORMERS, HRFormerVariant
from keras_hrnet.families.hrnet import HRNETS, Variant
from keras_hrnet.families.lite_hrnet import LITE_HRNETS, LiteVariant

FAMILIES: tuple[type[Family], ...] = (Variant, HRFormerVariant, LiteVariant)
"""The families, each represented by the class of its rows."""

VARIANTS: dict[str, Family] = {row.name: row for row in (*HRNETS, *HRFORMERS, *LITE_HRNETS)}
"""The published networks by the name of their constructor."""

WEIGHT_NAMES = tuple(dict.fromkeys(pair for family in FAMILIES for pair in family.weight_names))
"""Patterns that convert the path of a backbone's layer to the official name of its weights."""

WEIGHT_PARTS = tuple(pair for family in FAMILIES for pair in family.weight_parts)
"""Patterns that convert the rest of a path to a part of that name."""

BACKBONE_LAYERS = "|".join(f"(?:{family.layer_pattern})" for family in FAMILIES)
"""Regular expression of the paths of all weights of backbones; a path that it does not match belongs to a head."""


WEIGHT_PATTERN = "|".join(f"(?:{family.weight_pattern})" for family in FAMILIES)
"""Regular expression of the official names of all weights of backbones."""


def is_backbone(name: str | None) -> bool:
    """Returns whether the weight with an official name belongs to a backbone; a weight without a name does not."""
    return name is not None and re.match(WEIGHT_PATTERN, name) is not None


__all__ = [
    "BACKBONE_LAYERS",
    "FAMILIES",
    "VARIANTS",
    "WEIGHT_NAMES",
    "WEIGHT_PARTS",
    "WEIGHT_PATTERN",
    "ConvolutionCost",
    "Cost",
    "Family",
    "HRFormerVariant",
    "LayerOptions",
    "LiteVariant",
    "Variant",
    "is_backbone",
]
