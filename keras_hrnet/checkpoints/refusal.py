"""Refuses a weight file that does not fit a model, and says which network it was made for."""

import dataclasses
from collections.abc import Sequence

import keras

from keras_hrnet.checkpoints.contents import Contents
from keras_hrnet.checkpoints.conversion import Source
from keras_hrnet.checkpoints.description import Description, describe
from keras_hrnet.checkpoints.report import CheckpointReport
from keras_hrnet.families import is_backbone

BACKBONE_ALONE = "pass skip_head=True to load only the backbone"


def check_head(contents: Contents, described: Description) -> None:
    """Refuses a file with a head that this package does not support.

    Raises:
        ValueError: if its description has an obstacle.
    """
    if described.obstacle:
        raise ValueError(
            f"{contents.path!r} ({contents.format.title}) has {described.obstacle}. Expected a head that this package "
            f"builds. For the rest of the file, {BACKBONE_ALONE}."
        )


def check_fit(
    report: CheckpointReport,
    model: keras.Model,
    sources: Sequence[Source],
    described: Description,
    loads_head: bool,
    strict: bool,
) -> None:
    """Refuses a file whose keys and shapes do not match those of the model.

    Args:
        report: the comparison of the file with the model.
        sources: one for each weight of the model.
        described: the network that the file was made for.
        loads_head: whether the head is also loaded.
        strict: whether every weight must fit; if not, one weight of the backbone suffices.

    Raises:
        ValueError: if the file does not fit.
    """
    if report.fits:
        return
    found = any(is_backbone(source.name) and source.can_be_filled(set(report.loaded)) for source in sources)
    if strict or not found:
        expected = (
            "a file with every weight of the model, in its shape, and no other"
            if strict
            else "at least one weight of the backbone that fits"
        )
        raise ValueError(
            f"The checkpoint does not fit the model {model.name!r}, and nothing was loaded.\n"
            f"{dataclasses.replace(report, loaded=())}\nExpected {expected}. {_advice(sources, described, loads_head)}"
        )


def _advice(sources, described, loads_head):
    own = describe({source.name: source.shape for source in sources if source.name})
    if not described.is_whole:
        return "The file does not hold a complete HRNet: check its source."
    holds = f"The file holds the weights of `{described.call}`"
    if own.sizes != described.sizes:
        return f"{holds}: build that network."
    # The resize convention is compared elsewhere: it does not follow from shapes.
    names = dict.fromkeys((*described.options, *own.options)) if loads_head else {}
    names = [name for name in names if name not in ("align_corners", "interpolation")]
    differing = [name for name in names if own.options.get(name) != described.options.get(name)]
    if not differing:
        return f"{holds}, as the model needs, but is damaged or altered: download it again, or pass strict=False."
    if described.task:
        return f"{holds}, whose head was trained for {described.task}: {BACKBONE_ALONE}."
    if differing == ["num_classes"]:
        return f"{holds}: build with num_classes={described.options['num_classes']}, or {BACKBONE_ALONE}."
    return f"{holds}: build that network, or {BACKBONE_ALONE}."
