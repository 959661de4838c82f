"""Families of networks: one file for each, with its rows, its backbone, its cost and the names of its weights."""

import re

from keras_hrnet.families.counting import ConvolutionCost, Cost
from keras_hrnet.families.family import Family, LayerOptions
from keras_hrnet.families.hrformer import HRFORMERS, HRFormerVariant
from keras_hrnet.families.hrnet import HRNETS, Variant

FAMILIES: tuple[type[Family], ...] = (Variant, HRFormerVariant)
"""The families; the class of the rows stands for each."""

VARIANTS: dict[str, Family] = {row.name: row for row in (*HRNETS, *HRFORMERS)}
"""The published networks, by the name of their constructor."""

WEIGHT_NAMES = tuple(dict.fromkeys(pair for family in FAMILIES for pair in family.weight_names))
"""How a path of a backbone's layer becomes the official name of its weights."""

WEIGHT_PARTS = tuple(pair for family in FAMILIES for pair in family.weight_parts)
"""How what is left of a path then becomes a part of that name."""

BACKBONE_LAYERS = "|".join(f"(?:{family.layer_pattern})" for family in FAMILIES)
"""Regular expression of the paths of all weights of backbones; what it does not match belongs to a head."""


def is_backbone(name: str | None) -> bool:
    """Says whether the weight of an official name belongs to a backbone; a weight without a name does not."""
    return name is not None and any(re.match(family.weight_pattern, name) for family in FAMILIES)


__all__ = [
    "BACKBONE_LAYERS",
    "FAMILIES",
    "VARIANTS",
    "WEIGHT_NAMES",
    "WEIGHT_PARTS",
    "ConvolutionCost",
    "Cost",
    "Family",
    "HRFormerVariant",
    "LayerOptions",
    "Variant",
    "is_backbone",
]
