"""`keras-hrnet predict`: a picture in, a picture of its classes out."""

import pathlib
import zipfile
from typing import Annotated

import keras
import PIL.Image
import rich.console
import typer

from keras_hrnet import evaluation


def predict(
    model: Annotated[pathlib.Path, typer.Argument(help="A network saved by Keras, `.keras`.")],
    image: Annotated[pathlib.Path, typer.Argument(help="A photo, PNG or JPEG.")],
    output: Annotated[
        pathlib.Path | None, typer.Option(help="PNG to write; the photo's name with `_segmented.png` by default.")
    ] = None,
    show: Annotated[str, typer.Option(help="overlay, color, or labels (train ids).")] = "overlay",
):
    """Segment a photo, and write the classes as a picture of the photo's size."""
    if show not in ("overlay", "color", "labels"):
        raise ValueError(f"Received --show {show!r}. Expected overlay, color or labels. Pass one of them.")
    output = output or image.with_name(f"{image.stem}_segmented.png")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"Received --output {str(output)!r}. Expected its folder to be there. Make it first.")
    pixels = evaluation.read_image(image)
    labels = evaluation.predict(load_network(model), pixels)
    if show == "overlay":
        picture = evaluation.overlay(pixels, labels)
    else:
        picture = evaluation.colorize(labels) if show == "color" else labels
    PIL.Image.fromarray(picture).save(output, format="PNG")
    rich.console.Console().print(f"Wrote {output}", soft_wrap=True)


def load_network(path):
    """Loads a saved network without compiling it.

    Args:
        path: a `.keras` file.

    Returns:
        The model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no saved Keras model.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Received the model {str(path)!r}. Expected a `.keras` file there. Check the path.")
    if not zipfile.is_zipfile(path):  # Keras would say that there is no such file.
        raise ValueError(f"{path} is no saved Keras model, or is cut short. Expected a `.keras` file. Save it anew.")
    return keras.models.load_model(path, compile=False)
