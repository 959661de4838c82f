"""The resize convention of a network, which must match between a weight file and a model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import keras

from keras_hrnet.checkpoints.contents import Contents

if TYPE_CHECKING:
    from keras_hrnet.checkpoints.description import Description


@dataclasses.dataclass(frozen=True)
class Convention:
    """How a network upsamples its maps.

    Args:
        interpolation: "bilinear" or "nearest".
        align_corners: whether bilinear interpolation aligns the centers of the corner pixels.
        source: the reason why it is known, such as "as in the published file …".
    """

    interpolation: str
    align_corners: bool
    source: str

    @property
    def options(self) -> dict[str, str | bool]:
        """The constructor's arguments that select this convention."""
        if self.interpolation == "bilinear":
            return {"align_corners": self.align_corners}
        return {"interpolation": self.interpolation}

    def equals(self, other: Convention) -> bool:
        """Whether another convention is the same, regardless of how the two are known."""
        return (self.interpolation, self.align_corners) == (other.interpolation, other.align_corners)

    def __str__(self) -> str:
        return f"{self.interpolation}, align_corners={self.align_corners}"


def convention_of_file(contents: Contents) -> Convention | None:
    """Returns the resize convention of a weight file; None if neither its publishers nor its format state it."""
    row = contents.published
    if row and row.interpolation is not None and row.align_corners is not None:
        return Convention(row.interpolation, row.align_corners, f"as in the published file {row.name}")
    if contents.format.convention:
        return Convention(*contents.format.convention, f"as in every file of {contents.format.title}")
    return None


def convention_of_model(model: keras.Model) -> Convention | None:
    """Returns the resize convention of a network of this package; None if none of its layers resizes maps."""
    for layer in getattr(model, "layers", ()):
        if hasattr(layer, "interpolation") and hasattr(layer, "align_corners"):
            return Convention(layer.interpolation, layer.align_corners, "as in the model")
        if found := convention_of_model(layer):
            return found
    return None


def check_convention(
    contents: Contents, model: keras.Model, described: Description, loads_head: bool, skip_head: bool
) -> str:
    """Refuses a model whose resize convention differs from that of a weight file.

    Args:
        described: the network that the file was made for.
        loads_head: whether the head is also loaded.
        skip_head: whether only the backbone was requested. The conventions may then differ, as in the published
            recipes, which train segmentation from ImageNet weights of another convention.

    Returns:
        The convention and its source, for the report.

    Raises:
        ValueError: if the conventions differ although they must match.
    """
    own, known = convention_of_model(model), convention_of_file(contents)
    if own is None:
        return "none, because the model does not resize maps"
    head = described.options["head"]
    if known is None or head is None:
        return f"{own}, assumed from the model, because the file does not state it"
    if own.equals(known):
        return f"{own}, {known.source}"
    if skip_head or (head == "classification" and not loads_head):
        return f"{own}, as in the model; the file has {known}, but a backbone works with either"
    options = {**described.options, **known.options} if loads_head else {"head": None, **known.options}
    raise ValueError(
        f"{contents.path!r} has the resize convention {known}, {known.source}. Expected a model of the same "
        f"convention; {model.name!r} has {own}. Build `{dataclasses.replace(described, options=options).call}`, or "
        "pass skip_head=True to load only the backbone."
    )
