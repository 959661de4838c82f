"""`keras-hrnet train`: trains a network on a data set with a recipe."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keras_hrnet.checkpoints.published import check_exists
from keras_hrnet.cli import data_options
from keras_hrnet.cli.choices import DTYPES, require_choice
from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.outputs import require_writable
from keras_hrnet.cli.protocol import load_network, require_network
from keras_hrnet.cli.start import start
from keras_hrnet.families import VARIANTS
from keras_hrnet.heads import HEADS
from keras_hrnet.suggestion import suggestion

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_hrnet.training import Recipe

# The names in `keras_hrnet.training.RECIPES`, whose module imports Keras; a test compares the two.
RECIPE_NAMES = (
    "cityscapes",
    "cityscapes_ohem",
    "cityscapes_small",
    "cityscapes_ocr",
    "hierarchical",
    "hrformer",
    "lite_hrnet",
    "fine_tuning",
    "from_scratch",
)
_network_option = functools.partial(typer.Option, rich_help_panel="Network")
_device_option = functools.partial(typer.Option, rich_help_panel="Several devices")
HEAD_NAMES = [name for name, head in HEADS.items() if head.segments]


def train(
    data: data_options.Root = None,
    data_set: data_options.DataSetName = None,
    images: data_options.Images = None,
    masks: data_options.Masks = None,
    val_images: data_options.ValImages = None,
    val_masks: data_options.ValMasks = None,
    val_share: data_options.ValShare = None,
    classes: data_options.ClassNames = None,
    ignore_label: data_options.IgnoreLabel = None,
    id_map: data_options.IdMap = None,
    palette: data_options.Palette = None,
    cache: Annotated[
        str | None,
        data_options.data_option(help="Where to cache decoded training images: 'memory' or a folder."),
    ] = None,
    network: Annotated[
        str,
        _network_option(help="Name of a network, as `keras-hrnet info` lists them, or a `.keras` file."),
    ] = "HRNetW48",
    head: Annotated[str, _network_option(help=f"Head of the network: one of {', '.join(HEAD_NAMES)}.")] = "fcn",
    ocr_channels: Annotated[str, _network_option(help="Two widths of the heads ocr and hierarchical.")] = "512,256",
    weights: Annotated[
        str | None,
        _network_option(
            help=(
                "Weights to start from: imagenet, cityscapes, or a file. If they are for other classes or another "
                "head, only their backbone is used."
            ),
        ),
    ] = None,
    teacher: Annotated[
        pathlib.Path | None,
        _network_option(
            help=(
                "Teacher for distillation: a trained network with the same classes, `.keras`. Set the "
                "weights of its losses with --set distillation=1 and --set feature_distillation=0 (the defaults)."
            ),
        ),
    ] = None,
    align_corners: Annotated[
        bool | None,
        _network_option(
            help="Whether bilinear upsampling aligns the corner pixels; by default, as the weights require.",
        ),
    ] = None,
    remat: Annotated[
        bool,
        _network_option("--remat", help="Save memory by recomputing maps in the backward pass."),
    ] = False,
    dtype: Annotated[str, _network_option(help="Precision: float32, mixed_bfloat16 or mixed_float16.")] = "float32",
    recipe: Annotated[
        str, typer.Option(help=f"Training recipe, which --show prints: one of {', '.join(RECIPE_NAMES)}.")
    ] = "cityscapes",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting of the recipe, such as epochs=100. Can be repeated."),
    ] = None,
    run_dir: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder of the run to start or to resume; by default, a folder in runs/."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, crops and dropout.")] = 0,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic", help="Use deterministic operations, so that identical runs produce identical weights."
        ),
    ] = False,
    save_minutes: Annotated[float, typer.Option(help="Minutes between saves; 0 saves after each step.")] = 10.0,
    stop_on_full_disk: Annotated[
        bool, typer.Option("--stop-on-full-disk", help="Stop when the disk is full, instead of printing a warning.")
    ] = False,
    devices: Annotated[
        int,
        _device_option(
            help="Number of devices of this machine to split each batch across; 0 for all.",
        ),
    ] = 1,
    hosts: Annotated[
        str | None,
        _device_option(
            help=(
                "Processes to split each batch across, instead of --devices: the host:port of each, separated by "
                "commas."
            ),
        ),
    ] = None,
    process: Annotated[int | None, _device_option(help="Index of this process in --hosts, from 0.")] = None,
    repeat: Annotated[pathlib.Path | None, typer.Option(help="Repeat the run that this run.json describes.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe with its settings, and exit.")] = False,
) -> None:
    """Train a network with a recipe. Weights, curves and the settings to repeat the run are written to its folder.

    An interrupted run resumes from its last save when the same command is run again. Ctrl-C and SIGTERM save first.
    """
    made = {
        "data": data, "images": images, "masks": masks, "val_images": val_images, "val_masks": val_masks,
        "classes": classes, "cache": cache, "network": network, "head": head, "ocr_channels": ocr_channels,
        "weights": weights, "align_corners": align_corners, "remat": remat, "dtype": dtype,
        "data_set": data_set, "val_share": val_share, "ignore_label": ignore_label, "id_map": id_map,
        "palette": palette,
    }  # fmt: skip
    if teacher is not None:
        made["teacher"] = teacher
    made = {name: str(value) if isinstance(value, pathlib.Path) else value for name, value in made.items()}
    if repeat is not None:
        start()
        run = _read_repeatable(repeat)
        made, recipe, seed = run["notes"], run["settings"], run["seed"]
    else:
        _check_names(network, recipe, head, dtype)
    data_sets = None if show else DataSets(made)
    if data_sets is not None:
        if run_dir is not None and run_dir.is_file():
            raise NotADirectoryError(f"Received --run-dir {str(run_dir)!r}, a file. Expected a folder. Pass another.")
        folders = (run_dir, None if cache in (None, "memory") else pathlib.Path(cache))
        require_writable(folder for folder in folders if folder is not None)
        data_sets.options.check_files("train", "val")
        if teacher is not None:
            require_network(teacher)
        if made["weights"] is not None:
            check_exists(made["weights"])
    start()
    import keras

    from keras_hrnet.cli.starting import starting_network
    from keras_hrnet.evaluation import evaluate
    from keras_hrnet.models import classes_of
    from keras_hrnet.training import distributed, fitting, parse_setting, resolve_recipe
    from keras_hrnet.training.choices import note_on_padding

    console = Console()
    settings = dict(map(parse_setting, setting or ()))
    chosen = resolve_recipe(recipe, settings)
    if data_sets is None:
        console.print(str(chosen), soft_wrap=True, highlight=False)
        return
    together = {"hosts": hosts.split(","), "process": process} if hosts else {"devices": devices, "process": process}
    with distributed(**together):
        keras.utils.set_random_seed(seed)
        training, validation = data_sets.training(chosen, seed), data_sets.validation()
        note = chosen.crop_size and note_on_padding(chosen.crop_size, training.image_sizes)
        if note:
            console.print(note, soft_wrap=True, highlight=False)
        model, said = starting_network(made, validation.classes)
        if said:
            console.print(said, highlight=False)
        learned_from = None if made.get("teacher") is None else load_network(made["teacher"])
        if repeat is not None:
            _check_same(run, training, validation)
        model = fitting.train(
            model,
            training,
            validation,
            recipe=recipe,
            run_dir=run_dir,
            teacher=learned_from,
            seed=seed,
            deterministic=deterministic,
            notes=made,
            save_minutes=save_minutes,
            stop_on_full_disk=stop_on_full_disk,
            **settings,
        )
        weights, trained_classes = model.get_weights(), classes_of(model)
    if process:
        return
    if hosts or devices != 1:
        # The network and the data above belong to devices and processes that no longer exist.
        (model, _), validation = starting_network(made, validation.classes), data_sets.validation()
        model.set_weights(weights)
        model.classes = trained_classes
    console.print(str(evaluate(model, validation)), highlight=False)


def _check_names(network, recipe, head, dtype):
    """Refuses names that do not exist, before Keras is imported."""
    check_network(network)
    require_choice("--recipe", recipe, RECIPE_NAMES)
    require_choice("--head", head, HEAD_NAMES)
    require_choice("--dtype", dtype, DTYPES)


def check_network(name: str) -> None:
    """Refuses a name that is neither a `.keras` file nor a network."""
    if name.endswith(".keras") or name in VARIANTS:
        return
    raise ValueError(
        f"Received --network {name!r}. Expected a `.keras` file, or one of {', '.join(VARIANTS)}."
        f"{suggestion(name, VARIANTS)}"
    )


class DataSets:
    """The training and validation data that the options of the command describe.

    Args:
        made: the options of the command.

    Raises:
        ValueError: if they describe no data, two data sets, or no validation data.
    """

    def __init__(self, made: dict[str, Any]):
        names = {field.name for field in dataclasses.fields(DataOptions)}
        self.options = DataOptions(**{name: value for name, value in made.items() if name in names})
        self.cache = made["cache"]
        if not self.options.has_validation:
            raise ValueError(
                f"Received --images {self.options.images} without validation images. Expected some, because the best "
                "network is selected by its validation mIoU. Pass --val-images and --val-masks, or --val-share 0.2."
            )

    def training(self, recipe: Recipe, seed: int) -> tf.data.Dataset:
        """Makes the training data of a recipe; a crop size or batch size that it leaves open depends on the images."""
        arguments = {"seed": seed, "cache": self.cache}
        if None in (recipe.crop_size, recipe.batch_size):
            whole = self.options.dataset("train", augment=False, shard=(0, 1))
            return self.options.dataset("train", **arguments, verify=False, **recipe.data_arguments(whole.image_sizes))
        return self.options.dataset("train", **arguments, **recipe.data_arguments())

    def validation(self) -> tf.data.Dataset:
        """Makes the validation data: batches of whole images, with one image per device."""
        from keras_hrnet.distributed.processes import num_devices

        return self.options.dataset("val", augment=False, batch_size=num_devices())


def _read_repeatable(path):
    from keras_hrnet.training import read_run

    run = read_run(path)
    kinds = {"network": str, "head": str, "ocr_channels": str, "weights": str | None, "cache": str | None}
    notes = run["notes"] or {}
    if not all(isinstance(notes.get(name, ...), kind) for name, kind in kinds.items()):
        raise ValueError(
            f"{path} describes a run that was started from Python. Expected a run of this command, which records the "
            "options of the network and the data. Call `keras_hrnet.train` again, with "
            "`recipe=read_run(path)['settings']`."
        )
    return run


def _check_same(run, training, validation):
    for name, dataset in (("train", training), ("val", validation)):
        found = str(run[name].get("fingerprint"))
        if dataset.fingerprint != found:
            raise ValueError(
                f"The {name} data differ from those of the run to repeat: their fingerprint is "
                f"{dataset.fingerprint[:12]}…, and that of the run is {found[:12]}…. Expected the same files. "
                "Restore them, or start a new run without --repeat."
            )
