"""Describes the network that weights were made for, by their names and shapes, and the call that builds it."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import Any

from keras_hrnet.checkpoints.contents import Contents, read_contents
from keras_hrnet.checkpoints.convention import convention_of_file
from keras_hrnet.families import FAMILIES, VARIANTS, Family, is_backbone
from keras_hrnet.heads import HEADS, TELLING_WEIGHTS


@dataclasses.dataclass(frozen=True)
class Description:
    """The network that weights were made for.

    Args:
        family: the class of its row.
        sizes: widths and depths, arguments of `family`; 0 if they do not follow from the weights.
        options: arguments of the constructor: "head", and, where they apply, "num_classes", options of the head,
            "align_corners", "interpolation".
        task: the task that the head was trained for, unless this is the classification of pixels or images.
        obstacle: the part of the head that this package does not support; None if it supports all of it.
    """

    family: type[Family]
    sizes: dict[str, Any]
    options: dict[str, Any]
    obstacle: str | None = None
    task: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all sizes follow from the weights."""
        return _all_known(self.sizes) and self.options.get("num_classes") != 0

    @property
    def variant(self) -> Family:
        """The row of the published network, with other constructor arguments if necessary, or a custom row."""
        own = self.family("HRNet", **self.sizes)
        arguments = {name: self.sizes[name] for name in self.family.arguments if name in self.sizes}
        rows = (dataclasses.replace(row, **arguments) for row in VARIANTS.values() if type(row) is self.family)
        return next((row for row in rows if row.sizes() == own.sizes()), own)

    @property
    def call(self) -> str:
        """The constructor call that builds the network, as Python code."""
        arguments = ", ".join(f"{name}={_quoted(value)}" for name, value in self.options.items())
        if self.is_whole and self.variant.name in VARIANTS:
            row = VARIANTS[self.variant.name]
            own = [
                f"{x}={self.sizes[x]}" for x in row.arguments if self.sizes.get(x, getattr(row, x)) != getattr(row, x)
            ]
            return f"{row.name}({', '.join([arguments, *own])})"
        row = ", ".join(f"{name}={_quoted(value)}" for name, value in self.sizes.items())
        return f'HRNet({self.family.__name__}("Own", {row}), {arguments})'


def describe_checkpoint(path: str | os.PathLike) -> Description:
    """Describes the network that a weight file was made for, without loading it into one.

    Raises:
        ValueError: if the file cannot be read, or does not hold a complete HRNet.
        FileNotFoundError, ImportError: as `load_checkpoint`.
    """
    described = describe_contents(read_contents(path))
    if not described.is_whole:
        raise ValueError(
            f"{str(path)!r} seems to be for `{described.call}`, with 0 where weights are missing. Expected the weights "
            "of a complete HRNet. Check that the file is complete, and check its source."
        )
    return described


def describe(shapes: Mapping[str, tuple[int, ...]]) -> Description:
    """Describes the network that weights were made for.

    Args:
        shapes: the shapes of the weights in PyTorch's order, by official name. For a head, `TELLING_WEIGHTS` suffice.
    """
    sizes_of = {family: family.sizes_in(shapes) for family in FAMILIES}
    family = next((family for family, sizes in sizes_of.items() if _all_known(sizes)), FAMILIES[0])
    sizes = sizes_of[family]
    joined = family.joined_channels(sizes)
    # A head that extends another comes after it, and has weights that the other does not have.
    for head in reversed(HEADS.values()):
        if found := head.options_in(shapes, joined):
            return Description(family, sizes, *found)
    return Description(family, sizes, {"head": None})


def describe_contents(contents: Contents) -> Description:
    """Describes the network that a weight file was made for."""
    shapes = {re.sub(r"^(backbone|encoder)\.", "", contents.bare(key)): x.shape for key, x in contents.arrays.items()}
    shapes = {name: shape for name, shape in shapes.items() if is_backbone(name)}
    for name in TELLING_WEIGHTS:
        if (shape := contents.shape_of(name)) is not None:
            shapes[name] = shape
    described = dataclasses.replace(describe(shapes), task=contents.task)
    if contents.has_activated_norm:
        return dataclasses.replace(described, obstacle="a head of InPlaceABN with leaky ReLU inside")
    convention = convention_of_file(contents)
    if convention and described.options["head"] not in (None, "classification"):
        return dataclasses.replace(described, options={**described.options, **convention.options})
    return described


def _all_known(sizes):
    return all(all(value) if isinstance(value, tuple) else value for value in sizes.values())


def _quoted(value):
    return f'"{value}"' if isinstance(value, str) else str(value)
