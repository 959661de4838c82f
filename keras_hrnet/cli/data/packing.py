"""Packs splits with a progress bar, and prints how to read the records."""

import pathlib
import time
from typing import Any

from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.files.findings import counted
from keras_hrnet.data.files.folders import find_folder_pairs
from keras_hrnet.data.files.pairs import Pair, usable_pairs
from keras_hrnet.data.files.parts import PARTS, part_of
from keras_hrnet.data.files.splits import find_split_pairs
from keras_hrnet.data.files.survey import ANY_VALUE
from keras_hrnet.data.records import packing
from keras_hrnet.data.records.layout import default_annotation, split_folders
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.data_sets.cityscapes import CITYSCAPES


def pack_cityscapes(
    console: Console,
    root: pathlib.Path,
    out: pathlib.Path,
    splits: list[str],
    annotation: str | None,
    **options: Any,
) -> list[str]:
    """Packs splits of Cityscapes, each into its own folder.

    Args:
        root: the folder that holds `leftImg8bit`.
        out: the folder to write to.
        splits: names of splits.
        annotation: "fine" or "coarse"; None means fine where it exists.
        **options: options of `pack_folder`.

    Returns:
        The calls that read the records.
    """
    folders = {}
    for split in splits:
        folders |= split_folders(out, split, annotation)
    # The files of all splits are listed before the first split is packed, because packing may take a long time.
    pairs = {name: find_pairs(root, name, annotation or default_annotation(name)) for name in folders}
    for name, folder in folders.items():
        pack_folder(console, pairs[name], folder, known=CITYSCAPES.label_values, **options)
    return [
        f"cityscapes({str(out)!r}, {name!r}"
        + ("" if annotation in (None, default_annotation(name)) else f", annotation={annotation!r}")
        + ")"
        for name in folders
    ]


def pack_own(console: Console, data: DataOptions, out: pathlib.Path, **options: Any) -> list[str]:
    """Packs your own images, into `train` and `val` if --val-share is given; returns the calls that read them."""
    parts = {out: None}
    if data.val_share is not None:
        parts = {out / split: part_of(split, data.val_share) for split in PARTS}
    pairs = {folder: find_folder_pairs(*data.folders_of("train"), part) for folder, part in parts.items()}
    known = ANY_VALUE if data.coding is None else data.coding.label_values
    for folder in parts:
        pack_folder(console, pairs[folder], folder, known=known, **options)
    return [f"folders({str(folder)!r}, None, classes)" for folder in parts]


def pack_known(console: Console, data: DataOptions, out: pathlib.Path, splits: list[str], **options: Any) -> list[str]:
    """Packs splits of a known data set, each into its own folder; returns the calls that read them."""
    parts = dict.fromkeys(part for split in splits for part in data.row.parts_of(split))
    pairs = {part: find_split_pairs(data.data, data.row, part) for part in parts}
    for part in parts:
        pack_folder(console, pairs[part], out / part, known=data.row.label_values, **options)
    return [f"{data.row.name}({str(out)!r}, {part!r})" for part in parts]


def pack_folder(
    console: Console,
    pairs: list[Pair],
    folder: pathlib.Path,
    *,
    known: LabelValues,
    shard_size: int,
    as_pixels: bool,
    skip_damaged: bool,
) -> None:
    """Packs pairs into a folder with a progress bar, and prints a summary.

    Args:
        shard_size: maximum size of a shard, in bytes.
        as_pixels: whether to store pixels instead of files.
        skip_damaged: whether to skip and list the pairs that cannot be used.
    """
    if skip_damaged:
        pairs = without_damaged(console, pairs, known)
    start = time.perf_counter()
    with progress_bar(f"Packing {folder.name}", len(pairs), "pairs") as advance:
        options = {"shard_size": shard_size, "as_pixels": as_pixels, "known": known}
        packed = packing.pack(pairs, folder, on_sample=advance, **options)
    console.print(f"{folder}: {summary(packed, time.perf_counter() - start)}", soft_wrap=True)


def without_damaged(console: Console, pairs: list[Pair], known: LabelValues) -> list[Pair]:
    """Returns the pairs that can be used, and prints the others."""
    usable = usable_pairs(pairs, known=known)
    if usable.left_out:
        console.print(f"{len(usable.left_out)} of {len(pairs)} pairs cannot be used and are skipped:", soft_wrap=True)
    for _, error in usable.left_out:
        console.print(f"  {error}", soft_wrap=True)
    return usable.pairs


def summary(packed: packing.Packed, seconds: float) -> str:
    """Returns a line that states the number of samples and bytes, and the time."""
    kept = f" ({packed.num_kept} existed already)" if packed.num_kept else ""
    return (
        f"{counted(packed.num_samples, 'sample')} in {counted(packed.num_shards, 'shard')}{kept}, "
        f"{packed.num_bytes:,} bytes, {seconds:.1f} s"
    )
