"""`keras-hrnet data pack`: packs many small files into few large ones."""

import pathlib
import time
from typing import Annotated, Any

import typer

from keras_hrnet.cli import data_options
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.files.folders import find_folder_pairs
from keras_hrnet.data.files.pairs import Pair, usable_pairs
from keras_hrnet.data.files.parts import PARTS, part_of
from keras_hrnet.data.files.splits import find_split_pairs
from keras_hrnet.data.files.survey import ANY_VALUE
from keras_hrnet.data.records import packing
from keras_hrnet.data.records.layout import default_annotation, split_folders
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.data_sets.cityscapes import CITYSCAPES


def pack(
    places: Annotated[
        list[pathlib.Path],
        typer.Argument(
            metavar="[ROOT] OUT",
            help="The root of a known data set, unless --images is given, and the folder to write to.",
        ),
    ],
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Split to pack: train, val, test, trainval or train_extra; trainval by default. Can be repeated."
        ),
    ] = None,
    annotation: Annotated[
        str | None, typer.Option(help="Annotation of Cityscapes, fine or coarse; by default, fine where it exists.")
    ] = None,
    data_set: data_options.DataSetName = None,
    images: data_options.Images = None,
    masks: data_options.Masks = None,
    val_share: Annotated[
        float | None, typer.Option(help="Share of --images to pack for validation, such as 0.2, selected by name.")
    ] = None,
    classes: data_options.ClassNames = None,
    ignore_label: data_options.IgnoreLabel = None,
    id_map: data_options.IdMap = None,
    palette: data_options.Palette = None,
    shard_size: Annotated[int, typer.Option(help="Largest size of a file, in MiB.", min=1)] = 256,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Skip pairs that cannot be used, and list them.")
    ] = False,
) -> None:
    """Pack a data set into few large files (TFRecords), for disks and networks on which many small files are slow.

    All files are checked, and stored unchanged. Run the same command again to resume an interrupted packing.
    """
    own = images is not None and masks is not None
    if (images is None) != (masks is None) or len(places) != 2 - own or (own and (split or annotation)):
        raise ValueError(
            f"Received the places {', '.join(map(str, places))}, --images {images} and --masks {masks}. Expected ROOT "
            "and OUT, or OUT with --images and --masks, and without --split and --annotation. Pass either."
        )
    console = Console(highlight=False)
    options = {"shard_size": shard_size * 2**20, "skip_damaged": skip_damaged}
    data = DataOptions(
        None if own else places[0],
        data_set,
        images,
        masks,
        val_share=val_share,
        classes=classes,
        ignore_label=ignore_label,
        id_map=id_map,
        palette=palette,
    )
    if own:
        calls = pack_own(console, data, places[0], **options)
    elif data.row is CITYSCAPES:
        calls = pack_cityscapes(console, *places, split or ["trainval"], annotation, **options)
    else:
        if annotation is not None:
            raise ValueError(f"Received --annotation {annotation} for {data.row.title}. Expected none. Leave it out.")
        calls = pack_known(console, data, places[1], split or ["trainval"], **options)
    console.print("Train on them with", soft_wrap=True)
    for call in calls:
        console.print(f"  keras_hrnet.data.{call}", soft_wrap=True)


def pack_cityscapes(
    console: Console,
    root: pathlib.Path,
    out: pathlib.Path,
    splits: list[str],
    annotation: str | None,
    **options: Any,
) -> list[str]:
    """Packs splits of Cityscapes, each into a folder of its own.

    Args:
        root: the folder that holds `leftImg8bit`.
        out: the folder to write to.
        splits: names of splits.
        annotation: "fine" or "coarse"; None means fine where it exists.
        **options: of `pack_folder`.

    Returns:
        The calls that read the records.
    """
    folders = {}
    for split in splits:
        folders |= split_folders(out, split, annotation)
    # The files of all splits are found before the first split is packed, which may take long.
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
    """Packs your own images, with --val-share into the folders `train` and `val`; returns the calls that read them."""
    parts = {out: None}
    if data.val_share is not None:
        parts = {out / split: part_of(split, data.val_share) for split in PARTS}
    pairs = {folder: find_folder_pairs(*data.folders_of("train"), part) for folder, part in parts.items()}
    known = ANY_VALUE if data.coding is None else data.coding.label_values
    for folder in parts:
        pack_folder(console, pairs[folder], folder, known=known, **options)
    return [f"folders({str(folder)!r}, None, classes)" for folder in parts]


def pack_known(console: Console, data: DataOptions, out: pathlib.Path, splits: list[str], **options: Any) -> list[str]:
    """Packs splits of a known data set, each into a folder of its own; returns the calls that read them."""
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
    skip_damaged: bool,
) -> None:
    """Packs pairs into a folder with a progress bar, and prints a summary.

    Args:
        shard_size: largest size of a shard, in bytes.
        skip_damaged: whether to skip the pairs that cannot be used, and to list them.
    """
    if skip_damaged:
        pairs = without_damaged(console, pairs, known)
    start = time.perf_counter()
    with progress_bar(f"Packing {folder.name}", len(pairs), "pairs") as advance:
        packed = packing.pack(pairs, folder, shard_size=shard_size, known=known, on_sample=advance)
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
    """Returns a line that says what was packed, and how long it took."""
    kept = f" ({packed.num_kept} existed already)" if packed.num_kept else ""
    return (
        f"{packed.num_samples} samples in {packed.num_shards} shards{kept}, {packed.num_bytes:,} bytes, {seconds:.1f} s"
    )
