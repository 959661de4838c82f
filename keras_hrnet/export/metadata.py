"""What a file says of itself to the program that runs it: its signature, its classes, and where it came from."""

import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, PALETTE
from keras_hrnet.export.flatbuffer import find_metadata
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.models import interface
from keras_hrnet.version import __version__


def describe(model: keras.Model, options: ExportOptions, class_names: Sequence[str] | None = None) -> dict[str, Any]:
    """Describes a file of a network: see `read_metadata`.

    Args:
        model: the network.
        options: what the file shall be.
        class_names: names of the classes, by train id; None means Cityscapes' for 19 classes, else "class 0", …

    Returns:
        A dict that JSON holds.

    Raises:
        ValueError: if there are more or fewer names than classes.
    """
    num_classes = interface.num_classes(model)
    return {
        "keras_hrnet": __version__,
        "input": {
            "name": options.input_name,
            "shape": list(options.input_shape),
            "dtype": options.input_dtype,
            "values": "RGB in [0, 255]; normalization is inside",
        },
        "output": {"name": options.output_name, "kind": options.output},
        "precision": options.precision,
        "class_names": _class_names(num_classes, class_names),
        "colors": [list(color) for color in _colors(num_classes)],
        "resize": _resize_convention(model),
        "source": {"model": model.name, "data_format": interface.data_format(model), "sha256": weights_hash(model)},
    }


def weights_hash(model):
    """Returns the SHA-256 of a model's weights: their shapes, dtypes and values, in the order of `get_weights`."""
    digest = hashlib.sha256()
    for values in model.get_weights():
        digest.update(f"{values.shape} {values.dtype}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def read_metadata(path: str | os.PathLike) -> dict[str, Any]:
    """Reads what `export_tflite` wrote into a file for the program that runs it.

    Args:
        path: the `.tflite` file.

    Returns:
        A dict: "input" and "output" (the signature), "precision", "class_names", "colors" (red, green and blue of
        each class, in [0, 255]), "resize" (the convention of the network), "source" (model and SHA-256 of its
        weights), "keras_hrnet" (the version that wrote it).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it was not written by `export_tflite`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected a .tflite file. Check the name.")
    metadata = find_metadata(path.read_bytes())
    if metadata is None:
        raise ValueError(
            f"Received the file {str(path)!r}, which holds no metadata of keras_hrnet. Expected a file that "
            "`export_tflite` wrote. Export the network again."
        )
    return metadata


def _class_names(num_classes, class_names):
    if class_names is None:
        return list(CLASS_NAMES) if num_classes == len(CLASS_NAMES) else [f"class {i}" for i in range(num_classes)]
    names = list(class_names)
    if len(names) != num_classes:
        raise ValueError(
            f"Received {len(names)} class_names. Expected {num_classes}, one for each logit. Name each class, by "
            "train id, or leave class_names out."
        )
    return names


def _colors(num_classes):
    if num_classes == len(PALETTE):
        return PALETTE
    # As Pascal VOC colours its classes: the bits of the number, spread over red, green and blue.
    return [
        tuple(sum(((i >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(8)) for channel in range(3))
        for i in range(num_classes)
    ]


def _resize_convention(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            if found := _resize_convention(layer):
                return found
        elif hasattr(layer, "align_corners") and hasattr(layer, "interpolation"):
            return {"interpolation": layer.interpolation, "align_corners": bool(layer.align_corners)}
    return None
