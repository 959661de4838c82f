"""How a network enlarges its maps: it belongs to the weights, so a file and a model must agree on it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Convention:
    """How maps are enlarged.

    Args:
        interpolation: "bilinear" or "nearest".
        align_corners: whether bilinear aligns the centres of the corner pixels.
        source: how it is known, for the report.
    """

    interpolation: str
    align_corners: bool
    source: str

    @property
    def options(self):
        """The arguments of the constructor that give it."""
        if self.interpolation == "bilinear":
            return {"align_corners": self.align_corners}
        return {"interpolation": self.interpolation}

    def equals(self, other):
        """Says whether another convention is the same, wherever both are known from."""
        return (self.interpolation, self.align_corners) == (other.interpolation, other.align_corners)

    def __str__(self):
        return f"{self.interpolation}, align_corners={self.align_corners}"


def convention_of_file(contents):
    """Finds how the network of a weight file enlarges maps.

    Args:
        contents: the `Contents` of the file.

    Returns:
        A `Convention`, or None if neither the file's name nor its format says so.
    """
    row = contents.published
    if row and row.interpolation is not None and row.align_corners is not None:
        return Convention(row.interpolation, row.align_corners, f"so has the published file {row.name}")
    if contents.format.convention:
        return Convention(*contents.format.convention, f"so has every file of {contents.format.title}")
    return None


def convention_of_model(model):
    """Finds how a model enlarges maps.

    Args:
        model: a network of this package.

    Returns:
        A `Convention`, or None if none of its layers enlarges any.
    """
    for layer in getattr(model, "layers", ()):
        if hasattr(layer, "interpolation") and hasattr(layer, "align_corners"):
            return Convention(layer.interpolation, layer.align_corners, "the model's own")
        if found := convention_of_model(layer):
            return found
    return None


def check_convention(contents, model, described, loads_head, skip_head):
    """Refuses a model that enlarges maps in another way than the network of a file did.

    Args:
        contents: the `Contents` of the file.
        model: the model.
        described: the `Description` of the file.
        loads_head: whether the head is loaded too.
        skip_head: whether the backbone alone was asked for; then the two may differ, as in the published recipes, which
            train segmentation on ImageNet weights of another convention.

    Returns:
        A sentence for the report.

    Raises:
        ValueError: if the conventions differ and may not.
    """
    own, known = convention_of_model(model), convention_of_file(contents)
    if own is None:
        return "the model enlarges nothing"
    head = described.options["head"]
    if known is None or head is None:
        return f"{own}, assumed to be the file's as it is the model's"
    if own.equals(known):
        return f"{own}, and {known.source}"
    if skip_head or (head == "classification" and not loads_head):
        return f"{own} is the model's; the file's was {known}, which a backbone may leave"
    options = {**described.options, **known.options} if loads_head else {"head": None, **known.options}
    raise ValueError(
        f"{contents.path!r} is of a network that enlarges maps by {known}, and {known.source}. Expected a model that "
        f"does so too; {model.name!r} has {own}. Build `{dataclasses.replace(described, options=options).call}`, or "
        "pass skip_head=True to load the backbone alone."
    )
