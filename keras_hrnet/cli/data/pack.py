"""`keras-hrnet data pack`: packs many small files into a few large ones."""

import pathlib
from typing import Annotated

import typer

from keras_hrnet.cli import data_options
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.outputs import require_writable
from keras_hrnet.cli.start import start
from keras_hrnet.data_sets.cityscapes import CITYSCAPES


def pack(
    places: Annotated[
        list[pathlib.Path],
        typer.Argument(
            metavar="[ROOT] OUT",
            help="The root of a known data set (leave it out with --images), and the folder to write to.",
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
        float | None,
        typer.Option(
            help="Share of --images to pack as the validation split, such as 0.2. The images are selected by name."
        ),
    ] = None,
    classes: data_options.ClassNames = None,
    ignore_label: data_options.IgnoreLabel = None,
    id_map: data_options.IdMap = None,
    palette: data_options.Palette = None,
    shard_size: Annotated[int, typer.Option(help="Maximum size of a file, in MiB.", min=1)] = 256,
    pixels: Annotated[
        bool,
        typer.Option("--pixels", help="Store decoded pixels instead of files: faster to read, and larger than PNG."),
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Skip pairs that cannot be used, and list them.")
    ] = False,
) -> None:
    """Pack a data set into a few large files (TFRecords), for disks and networks on which many small files are slow.

    All files are checked. Without --pixels, they are stored unchanged. If packing is interrupted, run the same command
    again to resume it.
    """
    own = images is not None and masks is not None
    if (images is None) != (masks is None) or len(places) != 2 - own or (own and (split or annotation)):
        raise ValueError(
            f"Received the paths {', '.join(map(str, places))}, --images {images} and --masks {masks}. Expected ROOT "
            "and OUT, or OUT with --images and --masks, and without --split and --annotation. Pass one or the other."
        )
    console = Console(highlight=False)
    options = {"shard_size": shard_size * 2**20, "as_pixels": pixels, "skip_damaged": skip_damaged}
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
    require_writable([places[-1]])
    start()
    from keras_hrnet.cli.data.packing import pack_cityscapes, pack_known, pack_own

    if own:
        calls = pack_own(console, data, places[0], **options)
    elif data.row is CITYSCAPES:
        calls = pack_cityscapes(console, *places, split or ["trainval"], annotation, **options)
    else:
        if annotation is not None:
            raise ValueError(
                f"Received --annotation {annotation} for {data.row.title}. Expected none, because only Cityscapes "
                "has fine and coarse annotations. Leave it out."
            )
        calls = pack_known(console, data, places[1], split or ["trainval"], **options)
    console.print("To train on them, call", soft_wrap=True)
    for call in calls:
        console.print(f"  keras_hrnet.data.{call}", soft_wrap=True)
