"""The classes of a run, which must be the same in its network and its data."""

from typing import Any

import keras

from keras_hrnet.data_sets import Classes
from keras_hrnet.models.interface import num_classes
from keras_hrnet.models.network import classes_of, standardize_classes


def classes_of_data(dataset: Any) -> Classes | None:
    """Returns the classes that a data set records, as `cityscapes` and `folders` do: its `classes` or `class_names`."""
    classes = getattr(dataset, "classes", None)
    if isinstance(classes, Classes):
        return classes
    names = getattr(dataset, "class_names", None)
    return None if names is None else standardize_classes(names)


def common_classes(model: keras.Model, train: Any, val: Any) -> Classes:
    """Returns the classes that a network and its data have in common.

    They are the classes of the network, or those of the data if the network's classes have no names.

    Args:
        model: a network that returns logits.
        train: training data.
        val: validation data.

    Raises:
        ValueError: if number, names or ignore labels differ.
    """
    own = classes_of(model)
    known = {"train": classes_of_data(train), "val": classes_of_data(val)}
    known = {name: classes for name, classes in known.items() if classes is not None}
    if len(known) == 2:
        _check_validation(*known.values())
    for name, classes in known.items():
        if len(classes.names) != num_classes(model):
            raise ValueError(
                f"Received the data set `{name}` of {len(classes.names)} classes for the network {model.name!r} with "
                f"{num_classes(model)}. Expected the same number. Build the network with "
                f"num_classes={len(classes.names)}."
            )
        if own.are_named:
            _check_network(model, own, name, classes)
    return own if own.are_named else next(iter(known.values()), own)


def _check_validation(trained, validated):
    difference = trained.first_difference(validated)
    if difference:
        i, name, other = difference
        raise ValueError(
            f"Received training data of {len(trained.names)} classes and validation data of {len(validated.names)}, "
            f"where class {i} is {name!r} in training and {other!r} in validation. Expected the same classes in the "
            "same order. Make both with the same classes (--classes) and id_map (--id-map)."
        )
    if trained.ignore_label != validated.ignore_label:
        raise ValueError(
            f"Received training data whose ignored pixels have the label {trained.ignore_label}, and validation data "
            f"where they have {validated.ignore_label}. Expected the same label. Make both with the same ignore "
            "label."
        )


def _check_network(model, own, name, classes):
    difference = classes.first_difference(own)
    if classes.are_named and difference:
        i, in_data, in_network = difference
        raise ValueError(
            f"Received the data set `{name}`, whose class {i} is {in_data!r}, for the network {model.name!r}, whose "
            f"class {i} is {in_network!r}. Expected the same classes in the same order. Build a network for these "
            "classes. If only the names differ, or if its last layer is to learn other classes, set model.classes = "
            f"{name}.classes instead."
        )
    if classes.ignore_label != own.ignore_label:
        raise ValueError(
            f"Received the data set `{name}`, whose ignored pixels have the label {classes.ignore_label}, for the "
            f"network {model.name!r}, which ignores {own.ignore_label}. Expected the same label. Set model.classes = "
            f"{name}.classes."
        )
