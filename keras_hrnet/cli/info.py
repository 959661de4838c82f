"""`keras-hrnet info`: the networks, their size and their work."""

import re
from typing import Annotated

import rich.console
import rich.table
import typer

from keras_hrnet.models import VARIANTS, cost


def info(
    size: Annotated[str, typer.Option(help="Height and width of the image, in pixels.")] = "512x1024",
    classes: Annotated[int, typer.Option(help="Classes that are told apart.", min=1)] = 19,
):
    """Print the networks with their parameters and multiplications."""
    table = rich.table.Table(
        title=f"HRNet for segmentation, {classes} classes", caption=f"Multiplications for one image of {size} pixels."
    )
    table.add_column("network")
    for column in ("width", "modules", "parameters", "multiplications"):
        table.add_column(column, justify="right")
    for name, variant in VARIANTS.items():
        counted = cost(variant, classes, image_size=parse_size(size))
        table.add_row(
            f"{name}()",
            str(variant.width),
            "/".join(map(str, variant.modules)),
            f"{counted.parameters:,}",
            f"{counted.multiplications / 1e9:.2f} billion",
        )
    rich.console.Console().print(table)


def parse_size(text):
    """Reads "512x1024" as (height, width).

    Raises:
        ValueError: if it is written another way.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise ValueError(f"Received the size {text!r}. Expected HEIGHTxWIDTH in pixels. Write it like 512x1024.")
    return int(match.group(1)), int(match.group(2))
