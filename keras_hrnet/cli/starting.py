"""Creates the network that a run starts from: new, saved, or with the backbone of weights for other classes."""

import pathlib
import re
from collections.abc import Mapping
from typing import Any

import keras

from keras_hrnet import models
from keras_hrnet.checkpoints import choose_weights, describe_checkpoint, load_checkpoint
from keras_hrnet.cli.info import parse_numbers
from keras_hrnet.cli.protocol import load_network
from keras_hrnet.data_sets import Classes
from keras_hrnet.families import BACKBONE_LAYERS
from keras_hrnet.heads import head_of
from keras_hrnet.models import classes_of
from keras_hrnet.models.interface import resize_convention


def starting_network(made: Mapping[str, Any], classes: Classes) -> tuple[keras.Model, str | None]:
    """Creates the network that a run starts from.

    Args:
        made: the options of the command.
        classes: classes of the data. If the weights are for other classes or another head, only their backbone is used.

    Returns:
        The network, and a sentence that states which weights are not used and why; None if all are used.

    Raises:
        ValueError: if there is no such network, or the weights do not match it.
        FileNotFoundError: if a file is missing.
    """
    count, weights = len(classes.names), made["weights"]
    if made["network"].endswith(".keras"):
        return load_network(pathlib.Path(made["network"])), None
    if weights is not None and weights.endswith(".keras"):
        return _from_saved(made, classes)
    if weights in (None, "imagenet"):
        return _new(made, count, weights), None
    # Without a head, weights for any classes are found; their backbone can be used.
    chosen = choose_weights(weights, made["network"], None, count)
    if chosen.published is None:
        options = describe_checkpoint(chosen.path).options
        theirs = options["head"], options.get("num_classes"), None
    else:
        row = chosen.published
        theirs = row.head, row.num_classes, row.classes
    difference = None if theirs[0] == "classification" else _difference(*theirs, made["head"], classes)
    if difference is None:
        return _new(made, count, weights), None
    model = _new(_upsampling_as(made, chosen.align_corners), count, None)
    load_checkpoint(model, chosen.path, skip_head=True)
    return model, _backbone_notice(weights, difference)


def _difference(head, num_classes, known, own_head, classes):
    """Describes how the head of a file differs from the one to train; None if it does not."""
    if head != own_head:
        return f"the head {head!r} instead of {own_head!r}"
    if num_classes != len(classes.names):
        return f"{num_classes} classes instead of {len(classes.names)}"
    difference = known and known.are_named and classes.are_named and known.first_difference(classes)
    return f"the class {difference[1]!r} where the data has {difference[2]!r}" if difference else None


def _backbone_notice(weights, difference):
    return f"Only the backbone of --weights {weights} is used, and the head is new, because the file has {difference}."


def _upsampling_as(made, align_corners):
    return {**made, "align_corners": align_corners if made["align_corners"] is None else made["align_corners"]}


def _new(made, num_classes, weights):
    return models.HRNet(
        models.VARIANTS[made["network"]],
        num_classes,
        head=made["head"],
        ocr_channels=tuple(parse_numbers(made["ocr_channels"])),
        weights=weights,
        align_corners=made["align_corners"],
        remat=made["remat"],
        dtype=made["dtype"],
    )


def _from_saved(made, classes):
    saved = load_network(pathlib.Path(made["weights"]))
    theirs = classes_of(saved)
    difference = _difference(head_of(saved), len(theirs.names), theirs, made["head"], classes)
    convention = resize_convention(saved) or {"align_corners": None}
    model = _new(_upsampling_as(made, convention["align_corners"]), len(classes.names), None)
    values = {variable.path: variable for variable in saved.variables}
    wanted = [each for each in model.variables if difference is None or re.match(BACKBONE_LAYERS, each.path)]
    wanted = [each for each in wanted if "seed_generator" not in each.path]
    unfit = [each.path for each in wanted if each.path not in values or values[each.path].shape != each.shape]
    if unfit or not wanted:
        raise ValueError(
            f"Received --weights {made['weights']}, which holds {saved.name!r}, for --network {made['network']}: "
            f"{len(unfit)} weights of the backbone are missing in the file or have another shape, such as "
            f"{next(iter(unfit), 'all')}. Expected the same network. Pass the --network that the file was trained "
            "with."
        )
    for variable in wanted:
        variable.assign(values[variable.path])
    return model, difference and _backbone_notice(made["weights"], difference)
