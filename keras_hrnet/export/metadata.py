"""What a file says of itself to the program that runs it: its signature, its classes, and where it came from."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.data_sets import Classes
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.models import classes_of
from keras_hrnet.models.interface import data_format, normalization_of, resize_convention
from keras_hrnet.models.network import standardize_classes
from keras_hrnet.models.weights_hash import weights_hash
from keras_hrnet.version import __version__


def describe(model: keras.Model, options: ExportOptions, class_names: Sequence[str] | None = None) -> dict[str, Any]:
    """Describes a file of a network: see `read_metadata`.

    Args:
        model: the network.
        options: what the file shall be.
        class_names: names of the classes, by train id; None means those that the network knows.

    Returns:
        A dict that JSON holds.

    Raises:
        ValueError: if there are more or fewer names than classes.
    """
    classes = _classes(model, class_names)
    return {
        "keras_hrnet": __version__,
        "input": {
            "name": options.input_name,
            "shape": list(options.input_shape),
            "dtype": options.input_dtype,
            **_values(model, options),
        },
        "output": {"name": options.output_name, "kind": options.output},
        "precision": options.precision,
        "class_names": list(classes.names),
        "colors": [list(color) for color in classes.colors],
        "ignore_label": classes.ignore_label,
        **({"mirrored": [list(pair) for pair in classes.mirrored]} if classes.mirrored else {}),
        "resize": resize_convention(model),
        "source": {"model": model.name, "data_format": data_format(model), "sha256": weights_hash(model)},
    }


def classes_in(metadata: dict[str, Any] | None) -> Classes | None:
    """Returns the classes that `describe` described; None without metadata."""
    if metadata is None:
        return None
    mirrored = tuple(map(tuple, metadata.get("mirrored", ())))
    return Classes(metadata["class_names"], metadata["colors"], metadata["ignore_label"], mirrored=mirrored)


def _values(model, options):
    values = {"values": f"{options.values}; normalization is inside"}
    if options.takes_pixels:
        return values
    mean, deviation = normalization_of(model).statistics
    return {**values, "mean": list(mean), "deviation": list(deviation)}


def _classes(model, class_names):
    own = classes_of(model)
    if class_names is None:
        return own
    named = standardize_classes(class_names)
    if len(named.names) != len(own.names):
        raise ValueError(
            f"Received {len(named.names)} class_names. Expected {len(own.names)}, one for each logit. Name each class, "
            "by train id, or leave class_names out."
        )
    return dataclasses.replace(own, names=named.names) if own.are_named else named
