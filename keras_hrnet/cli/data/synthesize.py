"""`keras-hrnet data synthesize`: draws synthetic streets for trying out the other commands."""

import pathlib
from typing import Annotated

import typer

from keras_hrnet.cli.console import Console
from keras_hrnet.cli.info import parse_size
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.cli.start import start


def synthesize(
    root: Annotated[pathlib.Path, typer.Argument(help="Folder to write to.")],
    train: Annotated[int, typer.Option(help="Number of images in the train split.", min=0)] = 40,
    val: Annotated[int, typer.Option(help="Number of images in the val split.", min=0)] = 10,
    test: Annotated[int, typer.Option(help="Number of images in the test split.", min=0)] = 5,
    size: Annotated[str, typer.Option(help="Height and width of the images, in pixels.")] = "256x512",
    seed: Annotated[int, typer.Option(help="Seed of the streets.")] = 0,
) -> None:
    """Write a data set of synthetic streets in the layout and file formats of Cityscapes."""
    image_size = parse_size(size)
    start()
    from keras_hrnet.data import synthesize as synthesize_streets

    with progress_bar("Drawing streets", train + val + test, "images") as advance:
        synthesize_streets(
            root,
            num_train=train,
            num_val=val,
            num_test=test,
            size=image_size,
            seed=seed,
            on_image=lambda path: advance(),
        )
    console = Console()
    console.print(f"{train + val + test} streets are in {root}. To train on them, call", soft_wrap=True)
    console.print(f"  keras_hrnet.data.cityscapes({str(root)!r}, 'train')", soft_wrap=True)
