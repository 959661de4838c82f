"""`keras-hrnet benchmark`: how fast things are on this machine."""

import json
import pathlib
from typing import Annotated

import rich.console
import rich.table
import typer

from keras_hrnet.cli.info import parse_size
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.data import cityscapes
from keras_hrnet.data.cityscapes import open_split
from keras_hrnet.data.throughput import decoding_alone, throughputs

benchmark_app = typer.Typer(help="Measure how fast things are on this machine.", no_args_is_help=True)

ALONE = "decoding alone"


@benchmark_app.callback()
def _benchmark():
    """Measure how fast things are on this machine."""


@benchmark_app.command()
def data(
    root: Annotated[pathlib.Path, typer.Argument(help="A Cityscapes root.")],
    split: Annotated[str, typer.Option(help="Which images.")] = "train",
    batch_size: Annotated[int, typer.Option(help="Images in a batch.", min=1)] = 4,
    crop_size: Annotated[str, typer.Option(help="Height and width of the crops, in pixels.")] = "512x1024",
    records: Annotated[pathlib.Path | None, typer.Option(help="The same images, packed by `data pack`.")] = None,
    cache: Annotated[list[str] | None, typer.Option(help="'memory' or a folder; can be repeated.")] = None,
    num_images: Annotated[int, typer.Option("--images", help="Images a round.", min=1)] = 40,
    rounds: Annotated[int, typer.Option(help="Rounds, of which the medians are shown.", min=1)] = 7,
    json_file: Annotated[pathlib.Path | None, typer.Option("--json", help="Also write the numbers to a file.")] = None,
):
    """Measure the training pipeline beside decoding alone: what it adds is what cropping and mapping cost.

    All pipelines run in turn, in one process. CPU time is that of all threads together.
    """
    arguments = {"batch_size": batch_size, "crop_size": parse_size(crop_size), "verify": False}
    pipelines = {ALONE: decoding_alone(open_split(root, split, verify=False))}
    pipelines["training"] = cityscapes(root, split, augment=True, **arguments)
    if records:
        pipelines["training, records"] = cityscapes(records, split, augment=True, **arguments)
    for place in cache or ():
        pipelines[f"training, cache {place}"] = cityscapes(root, split, augment=True, cache=place, **arguments)
    with progress_bar("Measuring", rounds, "rounds") as advance:
        measured = throughputs(pipelines, num_images=num_images, rounds=rounds, on_round=advance)
    rich.console.Console().print(_table(measured))
    if json_file:
        json_file.write_text(json.dumps({name: rates._asdict() for name, rates in measured.items()}, indent=2) + "\n")


def _table(measured):
    table = rich.table.Table(
        caption="Ratios: beside decoding alone, more is faster. CPU time: of all threads, for an image."
    )
    table.add_column("pipeline", overflow="fold")
    for column in ("images/s", "ratio", "CPU time", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    alone = measured[ALONE]
    for name, rates in measured.items():
        table.add_row(
            name,
            f"{rates.images_per_second:.1f}",
            f"{rates.images_per_second / alone.images_per_second:.2f}",
            f"{1000 * rates.cpu_seconds:.1f} ms",
            f"{alone.cpu_seconds / rates.cpu_seconds:.2f}",
        )
    return table
