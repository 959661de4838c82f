"""`keras-hrnet benchmark`: measures the speed of exported files and data pipelines on this machine."""

import json
import pathlib
from typing import Annotated

import rich.box
import rich.table
import typer
import typer.core

from keras_hrnet.cli import data_options
from keras_hrnet.cli.choices import ACCELERATORS, require_choice
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.info import parse_size
from keras_hrnet.cli.outputs import require_folder_of
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.cli.protocol import load_network, require_network
from keras_hrnet.cli.start import start
from keras_hrnet.replacing import replacing


class FilesByDefault(typer.core.TyperGroup):
    """A group that parses `benchmark w18.tflite` as `benchmark files w18.tflite`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["files", *args]
        return super().parse_args(ctx, args)


benchmark_app = typer.Typer(
    cls=FilesByDefault,
    help="Measure the speed of exported files and data pipelines on this machine.",
    no_args_is_help=True,
)

EXPLAINED = {
    "first": "first: time of the first run.",
    "p90": "p90: 90 % of the runs took at most this time.",
    "MiB": "MiB: peak memory, in addition to that of an idle process.",
    "GPU %": "CPU %, GPU %: share of the operators that the delegate for the CPU or GPU runs.",
    "agree %": "agree %: share of the pixels that get the same label as from the first file.",
}
"""The meaning of the columns whose names do not explain them."""

ALONE = "decoding alone"
SIZE = (512, 1024)


@benchmark_app.callback()
def _benchmark():
    """Measure the speed of exported files and data pipelines on this machine."""


@benchmark_app.command()
def files(
    paths: Annotated[
        list[pathlib.Path],
        typer.Argument(help="`.tflite`, `.onnx`, `.xml` and `.keras` files, and folders of SavedModels."),
    ],
    size: Annotated[
        str | None,
        typer.Option(
            help=(
                "Height and width of the images, for files that accept any size; by default, the size of the first "
                "file, or 512x1024."
            )
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Batch size; a `.tflite` file has a fixed batch size.", min=1)] = 1,
    threads: Annotated[int | None, typer.Option(help="Number of threads; all cores by default.", min=1)] = None,
    accelerator: Annotated[
        str,
        typer.Option(
            help=(
                f"Device for `.tflite` files: {', '.join(ACCELERATORS)}. The CPU runs what the device does not "
                "support, and everything if LiteRT finds no library for an NPU."
            )
        ),
    ] = "cpu",
    runs: Annotated[int, typer.Option(help="Number of runs of each file; runs of the files alternate.", min=1)] = 20,
    root: Annotated[
        pathlib.Path | None,
        typer.Option("--data", help="Root of a known data set on which to compare and score the files."),
    ] = None,
    data_set: data_options.DataSetName = None,
    images: data_options.Images = None,
    masks: data_options.Masks = None,
    val_share: Annotated[
        float | None,
        typer.Option(
            help="Use only the validation images that `train --val-share` selects with this share, such as 0.2."
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Class names of --images, separated by commas, if none of the files stores them.")
    ] = None,
    ignore_label: data_options.IgnoreLabel = None,
    id_map: data_options.IdMap = None,
    palette: data_options.Palette = None,
    num_images: Annotated[int, typer.Option(help="Number of images of --data or --images to use.", min=1)] = 20,
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Also write the measurements to this file.")
    ] = None,
) -> None:
    """Measure exported files side by side, each in its own process. This is the default command.

    The columns CPU and GPU show the share of a `.tflite` file's operators that XNNPACK and the GPU delegate run. The
    column "agree" shows the share of pixels that get the same label as from the first file.
    """
    require_folder_of("--json", json_file)
    if images is not None and str(images).isdecimal() and not images.exists():
        raise ValueError(
            f"Received --images {images}. Expected a folder of images; --num-images is the number of images to use. "
            f"Pass --num-images {images}."
        )
    require_choice("--accelerator", accelerator, ACCELERATORS)
    image_size = parse_size(size) if size else None
    for path in paths:
        require_network(path)
    start()
    from keras_hrnet.export.benchmark import benchmark_files

    image_size = image_size or _size_of(paths[0])
    pixels = labels = None
    if root is not None or images is not None:
        options = DataOptions(
            data=root, data_set=data_set, images=images, masks=masks, val_share=val_share,
            ignore_label=ignore_label, id_map=id_map, palette=palette,
            classes=None if images is None else classes or _classes_of(paths),
        )  # fmt: skip
        pixels, labels = _validation_images(options, image_size, num_images)
    with progress_bar("Measuring", runs * len(paths), "runs") as advance:
        measured = benchmark_files(
            paths,
            image_size=image_size,
            batch_size=batch_size,
            num_threads=threads,
            num_runs=runs,
            accelerator=accelerator,
            images=pixels,
            labels=labels,
            on_run=advance,
        )
    Console().print(_files_table(measured))
    _write_json(json_file, [measurement.to_dict() for measurement in measured])


def _size_of(path):
    """Returns the size that a file was exported for; if it has no fixed size, that of the published measurements."""
    from keras_hrnet.export.formats import find_metadata
    from keras_hrnet.export.metadata import described

    known = None if path.suffix == ".keras" else described(find_metadata(path), path)
    return SIZE if known is None or None in known.size else known.size


def _classes_of(paths):
    """Returns the classes of the first file that has any; None if no file has."""
    from keras_hrnet.export.formats import find_metadata
    from keras_hrnet.export.metadata import described
    from keras_hrnet.models.network import own_classes

    for path in paths:
        if path.suffix == ".keras":
            classes = own_classes(load_network(path))
        else:
            known = described(find_metadata(path), path)
            classes = known and known.classes
        if classes is not None:
            return classes
    return None


def _validation_images(described, size, num_images):
    """Returns crops from the centers of validation images, in the size that the files accept."""
    import numpy as np

    images, labels = [], []
    dataset = described.dataset("val", augment=False, batch_size=1)
    for image, label in dataset.take(num_images).as_numpy_iterator():
        top, left = ((whole - part) // 2 for whole, part in zip(label.shape[1:], size, strict=True))
        if min(top, left) < 0:
            raise ValueError(
                f"Received --size {size[0]}x{size[1]} for images of {label.shape[1]}x{label.shape[2]} in "
                f"{described.data or described.images}. Expected at most the size of the images. Pass a smaller "
                "--size and files that were exported for it."
            )
        there = slice(None), slice(top, top + size[0]), slice(left, left + size[1])
        images.append(image[there])
        labels.append(label[there])
    return np.concatenate(images), np.concatenate(labels)


def _files_table(measured):
    height, width = measured[0].image_size
    table = rich.table.Table(
        title=f"{height}x{width}, batches of {measured[0].batch_size}, {measured[0].num_threads} threads; times in ms",
        title_justify="left",
        box=rich.box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    longest = max(len(row.path.name) for row in measured)
    table.add_column("file", overflow="fold", min_width=min(longest, 20))
    columns = ["MB", "first", "median", "p90", "MiB"]
    columns += ["CPU %", "GPU %"] if any(row.delegates for row in measured) else []
    columns += [] if measured[0].agreement is None else ["agree %"]
    columns += [] if measured[0].mean_iou is None else ["mIoU %"]
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in measured:
        cells = [
            f"{row.size_bytes / 1e6:.1f}",
            f"{1000 * row.first_seconds:.0f}",
            f"{1000 * row.median_seconds:.1f}",
            f"{1000 * row.p90_seconds:.1f}",
            f"{row.peak_bytes / 2**20:.0f}",
        ]
        if "GPU %" in columns:
            shares = (row.delegates or {}).get("xnnpack"), (row.delegates or {}).get("gpu")
            cells += ["–" if share is None else f"{100 * share:.0f}" for share in shares]
        cells += [] if row.agreement is None else [f"{100 * row.agreement:.3f}"]
        cells += [] if row.mean_iou is None else [f"{100 * row.mean_iou:.2f}"]
        table.add_row(row.path.name, *cells)
    table.caption = " ".join(text for column, text in EXPLAINED.items() if column in columns)
    table.caption_justify = "left"
    return table


@benchmark_app.command()
def data(
    root: Annotated[pathlib.Path, typer.Argument(help="A Cityscapes root.")],
    split: Annotated[str, typer.Option(help="Name of the split.")] = "train",
    batch_size: Annotated[int, typer.Option(help="Batch size.", min=1)] = 4,
    crop_size: Annotated[str, typer.Option(help="Height and width of the crops, in pixels.")] = "512x1024",
    records: Annotated[
        list[pathlib.Path] | None,
        typer.Option(help="Also measure the same images from a folder that `data pack` wrote. Can be repeated."),
    ] = None,
    cache: Annotated[
        list[str] | None, typer.Option(help="Also measure a cache: 'memory' or a folder. Can be repeated.")
    ] = None,
    num_images: Annotated[
        int, typer.Option("--num-images", "--images", help="Number of images per round.", min=1)
    ] = 40,
    rounds: Annotated[int, typer.Option(help="Number of rounds; the table shows medians.", min=1)] = 7,
    json_file: Annotated[
        pathlib.Path | None, typer.Option("--json", help="Also write the measurements to this file.")
    ] = None,
) -> None:
    """Compare the training pipeline with decoding alone. The difference is the cost of cropping and label mapping.

    The pipelines alternate in one process. CPU time is summed over all threads.
    """
    require_folder_of("--json", json_file)
    arguments = {"batch_size": batch_size, "crop_size": parse_size(crop_size), "verify": False}
    start()
    from keras_hrnet.data import cityscapes
    from keras_hrnet.data.cityscapes import open_split
    from keras_hrnet.data.throughput import decoding_alone, throughputs

    pipelines = {ALONE: decoding_alone(open_split(root, split, verify=False))}
    pipelines["training"] = cityscapes(root, split, augment=True, **arguments)
    for packed in records or ():
        pipelines[f"{ALONE}, {packed}"] = decoding_alone(open_split(packed, split, verify=False))
        pipelines[f"training, {packed}"] = cityscapes(packed, split, augment=True, **arguments)
    for place in cache or ():
        pipelines[f"training, cache {place}"] = cityscapes(root, split, augment=True, cache=place, **arguments)
    with progress_bar("Measuring", rounds, "rounds") as advance:
        measured = throughputs(pipelines, num_images=num_images, rounds=rounds, on_round=advance)
    Console().print(_table(measured))
    _write_json(json_file, {name: rates._asdict() for name, rates in measured.items()})


def _table(measured):
    table = rich.table.Table(
        caption="Ratios are relative to decoding alone; higher is faster. CPU time is per image, over all threads."
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


def _write_json(path, values):
    if path is not None:
        with replacing(path) as part:
            part.write_text(json.dumps(values, indent=2) + "\n")
