"""`keras-hrnet convert`: converts a published weight file to a network saved by Keras."""

import pathlib
from typing import Annotated

import typer

from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import parse_classes
from keras_hrnet.cli.outputs import require_folder_of
from keras_hrnet.cli.protocol import ClassNames, name_classes
from keras_hrnet.cli.start import start
from keras_hrnet.replacing import replacing


def convert(
    checkpoint: Annotated[
        pathlib.Path, typer.Argument(help="A published weight file: .pth, .pth.tar, .pt, .bin, .ckpt or .safetensors.")
    ],
    output: Annotated[pathlib.Path, typer.Argument(help="The network to write, `.keras`.")],
    align_corners: Annotated[
        bool | None,
        typer.Option(help="Whether bilinear upsampling aligns the corner pixels, if the file does not state it."),
    ] = None,
    interpolation: Annotated[
        str | None, typer.Option(help="Upsampling of maps, bilinear or nearest, if the file does not state it.")
    ] = None,
    classes: ClassNames = None,
    skip_head: Annotated[
        bool, typer.Option("--skip-head", help="Write only the backbone, which returns the maps P2 to P5.")
    ] = False,
    averaged: Annotated[
        bool, typer.Option("--averaged", help="Use the weights averaged over training, if the file has both kinds.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
) -> None:
    """Build the network that a published weight file was made for, load the file, and save it for Keras."""
    _check_output(output, overwrite)
    if skip_head and classes is not None:
        raise ValueError(
            f"Received --classes {classes} and --skip-head. Expected at most one of them, because a backbone has no "
            "classes. Leave one out."
        )
    named = None if classes is None else parse_classes(classes)
    start()
    from keras_hrnet.checkpoints import describe_checkpoint, load_checkpoint
    from keras_hrnet.models import HRNet

    network = describe_checkpoint(checkpoint)
    options = dict(network.options)
    if skip_head:
        options = {"head": None} | {
            name: options[name] for name in ("align_corners", "interpolation") if name in options
        }
    asked = {"align_corners": align_corners, "interpolation": interpolation}
    options |= {name: value for name, value in asked.items() if value is not None}

    model = HRNet(network.variant, **options)
    report = load_checkpoint(model, checkpoint, averaged=averaged)
    if named is not None:
        name_classes(model, named)
    with replacing(output) as part:
        model.save(part)
    console = Console(soft_wrap=True, highlight=False)
    console.print(str(report))
    console.print(f"Wrote {output}")


def _check_output(output, overwrite):
    if output.suffix != ".keras":
        raise ValueError(f"Received the output {str(output)!r}. Expected a name that ends in .keras. Pass such a name.")
    require_folder_of("the output", output)
    if output.exists() and not overwrite:
        raise FileExistsError(f"{str(output)!r} already exists. Expected a new name. Pass a new name, or --overwrite.")
