"""The options of inference that `evaluate` and `predict` share, and the network that they load."""

import os
import pathlib
import zipfile
from typing import Annotated, Any

import keras
import typer

from keras_hrnet.cli.data_options import parse_classes
from keras_hrnet.cli.info import parse_numbers, parse_size
from keras_hrnet.data_sets import DATA_SETS
from keras_hrnet.models import with_scales
from keras_hrnet.models.network import checked_classes, own_classes

Scales = Annotated[str, typer.Option(help="Scales of the image whose predictions are averaged: 0.5,0.75,1.")]
Flip = Annotated[bool, typer.Option("--flip", help="Average with the prediction for the mirrored image.")]
Tile = Annotated[str | None, typer.Option(help="Height and width of tiles to predict one by one: 1024x2048.")]
Overlap = Annotated[int | None, typer.Option(help="Pixels by which tiles overlap; a quarter of a tile by default.")]
Average = Annotated[str, typer.Option(help="official (sum of exp(logits), as published) or probabilities.")]
HierarchicalScales = Annotated[
    str | None, typer.Option(help="Scales that a hierarchical network combines inside: 0.5,1,2.")
]
ClassNames = Annotated[
    str | None,
    typer.Option(
        "--classes",
        help=f"Class names by comma, or a data set ({', '.join(DATA_SETS)}), for a network without class names.",
    ),
]


def read_options(scales: str, flip: bool, tile: str | None, overlap: int | None, average: str) -> dict[str, Any]:
    """Reads the options as `keras_hrnet.evaluate` and `keras_hrnet.predict` take them.

    Args:
        scales: numbers with commas between them.
        flip: whether to average with the prediction for the mirrored image.
        tile: "HEIGHTxWIDTH".
        overlap: in pixels.
        average: "official" or "probabilities".

    Raises:
        ValueError: if numbers or a size cannot be read.
    """
    return {
        "scales": parse_numbers(scales),
        "flip": flip,
        "tile": None if tile is None else parse_size(tile),
        "overlap": overlap,
        "average": average,
    }


def load_network(
    path: str | os.PathLike, hierarchical_scales: str | None = None, classes: str | None = None
) -> keras.Model:
    """Loads a saved network without compiling it.

    Args:
        path: a `.keras` file.
        hierarchical_scales: scales for a network with `head="hierarchical"`, with commas between them; None leaves it
            as it was saved.
        classes: class names for a network without, as `parse_classes` reads them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no saved Keras model, has no scales of its own, or has other classes.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the model {str(path)!r}. Expected a `.keras` file there. Check the path.")
    if not zipfile.is_zipfile(path):  # Keras would say that there is no such file.
        raise ValueError(f"{path} is no saved Keras model, or is cut short. Expected a `.keras` file. Save it anew.")
    model = keras.models.load_model(path, compile=False)
    if classes is not None:
        _name_classes(model, parse_classes(classes))
    return model if hierarchical_scales is None else with_scales(model, parse_numbers(hierarchical_scales))


def _name_classes(model, classes):
    own = own_classes(model)
    if own is None or not own.are_named:
        model.classes = checked_classes(model, classes)
    elif own.names != classes.names:
        raise ValueError(
            f"Received --classes {','.join(classes.names)} for {model.name!r}, whose classes are "
            f"{','.join(own.names)}. Expected a network without class names. Leave out --classes."
        )
