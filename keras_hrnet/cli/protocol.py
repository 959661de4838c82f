"""The inference options that `evaluate` and `predict` share, and functions that load their network."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keras_hrnet.cli.choices import AVERAGES, require_choice
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import parse_classes
from keras_hrnet.cli.info import parse_numbers, parse_size
from keras_hrnet.data_sets import DATA_SETS, Classes

if TYPE_CHECKING:
    import keras

    from keras_hrnet.export import ExportedNetwork

Scales = Annotated[str, typer.Option(help="Image scales whose predictions are averaged, such as 0.5,0.75,1.")]
Flip = Annotated[bool, typer.Option("--flip", help="Average the predictions for the image and its mirror image.")]
Tile = Annotated[
    str | None, typer.Option(help="Predict the image in tiles of this height and width, such as 1024x2048.")
]
Overlap = Annotated[int | None, typer.Option(help="Pixels by which tiles overlap; a quarter of a tile by default.")]
Average = Annotated[
    str, typer.Option(help="Method of averaging: official (exp(logits), as published) or probabilities.")
]
HierarchicalScales = Annotated[
    str | None, typer.Option(help="Scales that a hierarchical network combines, such as 0.5,1,2.")
]
ClassNames = Annotated[
    str | None,
    typer.Option(
        "--classes",
        help=f"Class names separated by commas, or a data set ({', '.join(DATA_SETS)}), if the network has none.",
    ),
]


def read_options(scales: str, flip: bool, tile: str | None, overlap: int | None, average: str) -> dict[str, Any]:
    """Parses the options into arguments of `keras_hrnet.evaluate` and `keras_hrnet.predict`.

    Args:
        scales: numbers separated by commas.
        flip: whether to average with the prediction for the mirrored image.
        tile: "HEIGHTxWIDTH".
        overlap: in pixels.
        average: "official" or "probabilities".

    Raises:
        ValueError: if numbers or a size cannot be parsed, or there is no such average.
    """
    require_choice("--average", average, AVERAGES)
    return {
        "scales": parse_numbers(scales),
        "flip": flip,
        "tile": None if tile is None else parse_size(tile),
        "overlap": overlap,
        "average": average,
    }


def require_network(path: str | os.PathLike) -> None:
    """Refuses a path where there is no network, before Keras is imported.

    Raises:
        FileNotFoundError: if there is neither a file nor a folder.
    """
    if not pathlib.Path(path).exists():
        raise FileNotFoundError(
            f"Received the model {str(path)!r}. Expected a saved or exported network there. Check the path."
        )


def load_network(
    path: str | os.PathLike, hierarchical_scales: str | None = None, classes: str | None = None
) -> keras.Model:
    """Loads a saved network without compiling it.

    Args:
        path: a `.keras` file.
        hierarchical_scales: scales for a network with `head="hierarchical"`, separated by commas; None keeps those that
            it was saved with.
        classes: class names for a network that has none, as `parse_classes` parses them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a saved Keras model, is damaged, is not hierarchical although scales are given, has
            other classes, or has weights that are NaN or infinite.
    """
    from keras_hrnet.models import with_scales
    from keras_hrnet.models.interface import check_weights
    from keras_hrnet.models.saved_files import load_saved

    model = load_saved(path)
    try:
        check_weights(model)
    except ValueError as error:
        raise ValueError(f"{str(path)!r} cannot be used. {error}") from error
    if classes is not None:
        name_classes(model, parse_classes(classes))
    return model if hierarchical_scales is None else with_scales(model, parse_numbers(hierarchical_scales))


def open_network(
    path: str | os.PathLike, hierarchical_scales: str | None = None, classes: str | None = None
) -> keras.Model | ExportedNetwork:
    """Loads a saved network like `load_network`, or opens an exported file to score it or to predict with it.

    Args:
        path: a `.keras`, `.tflite`, `.onnx` or `.xml` file, or the folder of a SavedModel.
        hierarchical_scales: as in `load_network`.
        classes: as in `load_network`.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: as `load_network` and `ExportedNetwork`.
    """
    from keras_hrnet.export import ExportedNetwork
    from keras_hrnet.export.formats import FORMATS
    from keras_hrnet.models import with_scales

    path = pathlib.Path(path)
    if not path.is_dir() and path.suffix not in {kind.suffix for kind in FORMATS.values()} - {""}:
        return load_network(path, hierarchical_scales, classes)
    network = ExportedNetwork(path)
    if classes is not None:
        name_classes(network, parse_classes(classes))
    return network if hierarchical_scales is None else with_scales(network, parse_numbers(hierarchical_scales))


def report_missing_names(network: keras.Model | ExportedNetwork, console: Console) -> None:
    """If the classes of a network have no names, prints how to name them."""
    from keras_hrnet.models.network import own_classes

    known = own_classes(network)
    if known is None or not known.are_named:
        text = (
            f"The classes of {network.name} have no names. Name them with --classes road,sky,… or --classes cityscapes."
        )
        console.print(text, highlight=False)


def name_classes(model: keras.Model | ExportedNetwork, classes: Classes) -> None:
    """Sets the classes of a network whose classes have no names.

    Raises:
        ValueError: if its classes have other names, or it has another number of classes.
    """
    from keras_hrnet.models.network import checked_classes, own_classes

    own = own_classes(model)
    if own is None or not own.are_named:
        model.classes = checked_classes(model, classes)
    elif not classes.are_named:  # Only their number was given.
        checked_classes(model, classes)
    elif own.names != classes.names:
        raise ValueError(
            f"Received --classes {','.join(classes.names)} for {model.name!r}, whose classes are "
            f"{','.join(own.names)}. Expected a network without class names. Leave out --classes."
        )
