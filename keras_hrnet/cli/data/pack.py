"""`keras-hrnet data pack`: many small files become few large ones."""

import pathlib
import time
from typing import Annotated

import rich.console
import typer

from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.files.pairs import usable_pairs
from keras_hrnet.data.records import packing
from keras_hrnet.data.records.layout import default_annotation, split_folders


def pack(
    root: Annotated[pathlib.Path, typer.Argument(help="A Cityscapes root: the folder that holds leftImg8bit.")],
    out: Annotated[pathlib.Path, typer.Argument(help="Folder to write to, with one folder in it a split.")],
    split: Annotated[
        list[str] | None,
        typer.Option(help="train, val, test, trainval or train_extra; can be repeated.", show_default="trainval"),
    ] = None,
    annotation: Annotated[
        str | None, typer.Option(help="fine or coarse.", show_default="fine where there is any")
    ] = None,
    shard_size: Annotated[int, typer.Option(help="What a file may take, in MiB.", min=1)] = 256,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out pairs that cannot be used, and list them.")
    ] = False,
):
    """Pack Cityscapes into few large files (TFRecords), for disks and networks that are slow at many small ones.

    All files are checked, and kept byte by byte. What was interrupted goes on when the command is given again.
    """
    folders = {}
    for name in split or ["trainval"]:
        folders |= split_folders(out, name, annotation)
    console = rich.console.Console(highlight=False)
    found = {name: find_pairs(root, name, annotation or default_annotation(name)) for name in folders}
    for name, folder in folders.items():
        pairs = without_damaged(console, found[name]) if skip_damaged else found[name]
        start = time.perf_counter()
        with progress_bar(f"Packing {folder.name}", len(pairs), "pairs") as advance:
            packed = packing.pack(pairs, folder, shard_size=shard_size * 2**20, on_sample=advance)
        console.print(f"{folder}: {summary(packed, time.perf_counter() - start)}", soft_wrap=True, markup=False)
    console.print("Train on them with", soft_wrap=True)
    for name in folders:
        choice = "" if annotation in (None, default_annotation(name)) else f", annotation={annotation!r}"
        console.print(f"  keras_hrnet.data.cityscapes({str(out)!r}, {name!r}{choice})", soft_wrap=True, markup=False)


def without_damaged(console, pairs):
    """Leaves out the pairs that cannot be used, and prints them.

    Args:
        console: a `rich.console.Console`.
        pairs: a list of `Pair`.

    Returns:
        The others, a list of `Pair`.
    """
    usable = usable_pairs(pairs)
    if usable.left_out:
        console.print(f"{len(usable.left_out)} of {len(pairs)} pairs cannot be used and are left out:", soft_wrap=True)
    for _, error in usable.left_out:
        console.print(f"  {error}", soft_wrap=True, markup=False)
    return usable.pairs


def summary(packed, seconds):
    """Says what was packed, in a line.

    Args:
        packed: a `keras_hrnet.data.records.packing.Packed`.
        seconds: how long it took.

    Returns:
        A string.
    """
    kept = f" ({packed.num_kept} were there)" if packed.num_kept else ""
    return (
        f"{packed.num_samples} samples in {packed.num_shards} shards{kept}, {packed.num_bytes:,} bytes, {seconds:.1f} s"
    )
