"""`keras-hrnet info`: lists the networks with their size and cost, and the published weights."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Annotated

import rich.table
import typer

from keras_hrnet.checkpoints.published import PublishedWeights, published_weights
from keras_hrnet.cli.choices import require_choice
from keras_hrnet.cli.console import Console
from keras_hrnet.families import VARIANTS
from keras_hrnet.heads import HEADS
from keras_hrnet.models.cost import cost
from keras_hrnet.suggestion import suggestion

# The smallest width, in characters, at which no column breaks a word.
TABLE_WIDTH = 100
INDENT = "    "
LEGEND = (
    'Pass weights="NAME" to a constructor, or weights="cityscapes" for the first file of that network and head that '
    "can be downloaded and checked. Scores are single-scale without flipping unless stated otherwise. Resize: "
    "nearest, or bilinear with align_corners=False (half) or True (corners). License: * is the license of the "
    "repository that the weights come with; data sets have their own terms. Checked: by SHA-256; partly, by its "
    "first 8 digits; or no. †: no direct link; download it manually. ‡: for BGR pixels. HRF-: HRFormer. –: no source "
    "states it."
)


def info(
    size: Annotated[str, typer.Option(help="Height and width of the image, in pixels.")] = "512x1024",
    classes: Annotated[int, typer.Option(help="Number of classes.", min=1)] = 19,
    head: Annotated[str, typer.Option(help=f"One of {', '.join(HEADS)}.")] = "fcn",
    ocr_channels: Annotated[str, typer.Option(help="The two widths of the ocr and hierarchical heads.")] = "512,256",
    scales: Annotated[str, typer.Option(help="Scales of the hierarchical head.")] = "0.5,1",
    weights: Annotated[bool, typer.Option("--weights", help="List the published weights instead.")] = False,
    dataset: Annotated[
        str | None, typer.Option(help="List only published weights that were trained on this data set.")
    ] = None,
) -> None:
    """Print the networks with their parameters and multiplications, or the published weights."""
    if weights or dataset:
        print_weights(dataset)
    else:
        print_networks(size, classes, head, parse_numbers(ocr_channels), parse_numbers(scales))


def print_networks(
    size: str, classes: int, head: str, ocr_channels: tuple[int, ...], scales: tuple[float, ...]
) -> None:
    """Prints the networks with their cost.

    Raises:
        ValueError: if there is no such head, or it does not accept the numbers.
    """
    require_choice("--head", head, HEADS)
    if len(ocr_channels) != 2:
        raise ValueError(f"Received --ocr-channels {ocr_channels}. Expected two numbers. Write them like 512,256.")
    options = {"head": head, "image_size": parse_size(size), "ocr_channels": ocr_channels, "scales": scales}
    table = rich.table.Table(
        title=f"Networks with head={head!r}, {classes} classes",
        caption=f"Multiplications for one image of {size} pixels.",
    )
    table.add_column("network")
    for column in ("width", "modules", "parameters", "multiplications"):
        table.add_column(column, justify="right")
    for name, variant in VARIANTS.items():
        counted = cost(variant, classes, **options)
        table.add_row(
            f"{name}()",
            str(variant.widths[0]),
            "/".join(map(str, variant.modules)),
            f"{counted.parameters:,}",
            f"{counted.multiplications / 1e9:.2f} billion",
        )
    Console().print(table)


def print_weights(dataset: str | None = None) -> None:
    """Prints the published weights, a table for each data set.

    Args:
        dataset: name of the data set whose weights are printed; None prints all weights.

    Raises:
        ValueError: if there are no weights of that data set.
    """
    rows = published_weights()
    datasets = list(dict.fromkeys(row.dataset for row in rows))
    if dataset is not None and dataset not in datasets:
        raise ValueError(
            f"Received --dataset {dataset!r}. Expected a data set with published weights: "
            f"{', '.join(datasets)}.{suggestion(dataset, datasets) or ' Pass one of them, or leave it out.'}"
        )
    console = Console()
    for name in [dataset] if dataset else datasets:
        table = weights_table(name, [row for row in rows if row.dataset == name])
        fits = console.width >= TABLE_WIDTH
        console.print(table if fits else in_lines(table, console.width), "", soft_wrap=not fits)
    console.print(LEGEND, highlight=False)


def weights_table(dataset: str, rows: Sequence[PublishedWeights]) -> rich.table.Table:
    """Makes a table of published weights.

    Args:
        dataset: the data set that all of them were trained on.
        rows: the `PublishedWeights`.

    Returns:
        A `rich.table.Table`.
    """
    classes = sorted({row.num_classes for row in rows if row.num_classes})
    title = (
        f"{dataset}, {' or '.join(map(str, classes))} classes" if classes else f"{dataset}, backbones without classes"
    )
    table = rich.table.Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("name", "network", "head", "score", "resize", "license", "checked"):
        whole = column in ("name", "network", "head")
        table.add_column(column, no_wrap=whole, min_width=15 if column == "score" else None, overflow="fold")
    for row in rows:
        several = f" {row.num_classes}" if len(classes) > 1 else ""
        table.add_row(
            row.name + (" †" if row.url is None else " ‡" if row.channel_order == "BGR" else ""),
            row.variant.removeprefix("HRNet").replace("HRFormer", "HRF-"),
            (row.head or "–") + several,
            row.score or "–",
            resizing(row),
            (row.license or "–").replace("repository: ", "* ").removesuffix("-Clause"),
            {"SHA-256": "SHA-256", "nothing": "no"}.get(row.verification, "partly"),
        )
    return table


def in_lines(table: rich.table.Table, width: int) -> str:
    """Writes each row of a table that is too wide as lines: its first three cells, and the others below them.

    Args:
        width: maximum number of characters in a line.
    """
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    lengths = [max(map(len, column)) for column in columns[:3]]
    lines = [str(table.title)]
    for cells in zip(*columns, strict=True):
        first = "  ".join(cell.ljust(length) for cell, length in zip(cells, lengths, strict=False))
        named = [
            cell if column.header == "score" else f"{column.header} {cell}"
            for column, cell in zip(table.columns[3:], cells[3:], strict=True)
        ]
        lines += [
            first.rstrip(),
            textwrap.fill("; ".join(named), width, initial_indent="    ", subsequent_indent="    "),
        ]
    return "\n".join(lines)


def resizing(row: PublishedWeights) -> str:
    """Returns a word for the convention by which the network of a published file upsamples maps."""
    if row.interpolation == "nearest":
        return "nearest"
    return {True: "corners", False: "half", None: "–"}[row.align_corners]


def parse_size(text: str) -> tuple[int, int]:
    """Parses "512x1024" as (height, width).

    Raises:
        ValueError: if it has another format.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise ValueError(f"Received the size {text!r}. Expected HEIGHTxWIDTH in pixels. Write it like 512x1024.")
    return int(match.group(1)), int(match.group(2))


def parse_numbers(text: str) -> tuple[float, ...]:
    """Parses "512,256" or "0.5,1" as a tuple of numbers.

    Raises:
        ValueError: if it has another format.
    """
    try:
        return tuple(int(word) if word.strip().isdigit() else float(word) for word in text.split(","))
    except ValueError:
        raise ValueError(f"Received {text!r}. Expected numbers. Write them like 512,256 or 0.5,1.") from None
