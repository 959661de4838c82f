"""The metadata of a file for the program that runs it: its signature, its classes, and its origin."""

import dataclasses
import json
import os
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
    """Returns the metadata of a file; `read_metadata` describes it.

    Args:
        model: the network.
        options: the options of the file.
        class_names: names of the classes, by train id; None means those of the network.

    Returns:
        A dict in types that JSON supports.

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


def parse(text: bytes, path: str | os.PathLike) -> dict[str, Any]:
    """Parses the result of `describe` from the JSON in a file of any format.

    Args:
        text: JSON in UTF-8.
        path: path of the file that contains it, for messages.

    Raises:
        ValueError: if it is not a JSON object.
    """
    try:
        found = json.loads(text.decode())
        if not isinstance(found, dict):
            raise ValueError(f"it is a {type(found).__name__}")
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    return found


def damaged(path: str | os.PathLike, error: Exception) -> ValueError:
    """Returns the error for a file whose metadata cannot be read, because of another error."""
    first_line = str(error).strip().partition("\n")[0]
    return ValueError(
        f"Received the file {str(path)!r}, whose metadata of keras_hrnet cannot be read ({type(error).__name__}: "
        f"{first_line:.200}). Expected a complete file that this package exported. Export the network again."
    )


@dataclasses.dataclass(frozen=True)
class Described:
    """The metadata that is needed to use a file like a network.

    Args:
        classes: its classes.
        size: (height, width) that it was exported for; None for any height or width.
        is_probabilities: whether it returns probabilities.
        takes_pixels: whether its input images are in [0, 255].
        convention: the convention by which its network upsamples maps; None if it is not known.
    """

    classes: Classes
    size: tuple[int | None, int | None]
    is_probabilities: bool
    takes_pixels: bool
    convention: dict[str, Any] | None


def described(metadata: dict[str, Any] | None, path: str | os.PathLike) -> Described | None:
    """Returns the parts of metadata that are needed; None without metadata.

    Args:
        metadata: the result of `parse`.
        path: path of the file that contains it, for messages.

    Raises:
        ValueError: if the metadata is not what this package writes.
    """
    if metadata is None:
        return None
    try:
        mirrored = tuple(map(tuple, metadata.get("mirrored", ())))
        classes = Classes(metadata["class_names"], metadata["colors"], metadata["ignore_label"], mirrored=mirrored)
        _, height, width, _ = metadata["input"]["shape"]
        for length in (height, width):
            if length is not None and (type(length) is not int or length < 1):
                raise ValueError(f"the height or width of images is {length!r:.80}")
        if not isinstance(metadata["resize"], dict | None) or type(classes.ignore_label) is not int:
            raise TypeError("the resize convention or the ignore label is of another type")
        is_probabilities = metadata["output"]["kind"] == "probabilities"
        takes_pixels = "mean" not in metadata["input"]
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise damaged(path, error) from error
    return Described(classes, (height, width), is_probabilities, takes_pixels, metadata["resize"])


def _values(model, options):
    values = {"values": f"{options.values}; the network normalizes them"}
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
