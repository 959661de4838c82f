"""`keras-hrnet train`: a network, a data set and a recipe become a trained network."""

import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import keras
import rich.console
import typer

from keras_hrnet import models
from keras_hrnet.cli.data_options import parse_classes
from keras_hrnet.cli.info import parse_numbers
from keras_hrnet.cli.protocol import load_network
from keras_hrnet.data import cityscapes, class_shares, class_weights, folders
from keras_hrnet.data_sets import DATA_SETS
from keras_hrnet.distributed.processes import num_devices
from keras_hrnet.evaluation import evaluate
from keras_hrnet.heads import HEADS
from keras_hrnet.models import classes_of
from keras_hrnet.training import RECIPES, Recipe, distributed, fitting, parse_setting, read_run, resolve_recipe

if TYPE_CHECKING:
    import tensorflow as tf

HEAD_NAMES = ", ".join(name for name, head in HEADS.items() if head.segments)
COUNTED_WEIGHTS = ("enet", "median_frequency")


def train(
    data: Annotated[pathlib.Path | None, typer.Option(help="Root of Cityscapes, or of what `data pack` wrote.")] = None,
    images: Annotated[pathlib.Path | None, typer.Option(help="Instead: a folder of your own images.")] = None,
    masks: Annotated[pathlib.Path | None, typer.Option(help="The folder of their masks, matched by name.")] = None,
    val_images: Annotated[pathlib.Path | None, typer.Option(help="Images to validate on.")] = None,
    val_masks: Annotated[pathlib.Path | None, typer.Option(help="The folder of their masks.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(help=f"Names of their classes, separated by commas, or a data set: {', '.join(DATA_SETS)}."),
    ] = None,
    cache: Annotated[str | None, typer.Option(help="Keep decoded training pixels: in 'memory' or a folder.")] = None,
    network: Annotated[str, typer.Option(help="HRNetW18Small to HRNetW64, or a `.keras` file.")] = "HRNetW48",
    head: Annotated[str, typer.Option(help=f"One of {HEAD_NAMES}.")] = "fcn",
    ocr_channels: Annotated[str, typer.Option(help="Widths of ocr and hierarchical.")] = "512,256",
    weights: Annotated[str | None, typer.Option(help="imagenet, cityscapes, or a file to start from.")] = None,
    align_corners: Annotated[
        bool | None, typer.Option(help="How maps are upsampled; by default as the weights need.")
    ] = None,
    remat: Annotated[bool, typer.Option("--remat", help="Save memory by computing maps twice.")] = False,
    dtype: Annotated[str, typer.Option(help="float32, mixed_bfloat16 or mixed_float16.")] = "float32",
    recipe: Annotated[str, typer.Option(help=f"One of {', '.join(RECIPES)}; --show prints it.")] = "cityscapes",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value for a setting: learning_rate=0.02. Can be repeated."),
    ] = None,
    run_dir: Annotated[
        pathlib.Path | None, typer.Option(help="Folder to write to, or of the run to resume; by default one in runs/.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, crops and dropout.")] = 0,
    save_minutes: Annotated[float, typer.Option(help="Time between saves; 0 saves after each step.")] = 10.0,
    stop_on_full_disk: Annotated[
        bool, typer.Option("--stop-on-full-disk", help="Stop when the disk is full, rather than warn.")
    ] = False,
    devices: Annotated[int, typer.Option(help="Devices of this machine that share each batch; 0 for all.")] = 1,
    hosts: Annotated[
        str | None, typer.Option(help="Instead: processes that do, host:port of each, separated by commas.")
    ] = None,
    process: Annotated[int | None, typer.Option(help="Which of --hosts this process is, from 0.")] = None,
    repeat: Annotated[pathlib.Path | None, typer.Option(help="The run.json of a run to repeat.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe with its settings, and stop.")] = False,
) -> None:
    """Train a network by a recipe, and keep weights, curves and all that a repetition needs in the folder of the run.

    An interrupted run resumes from its last save when the same command is run again; SIGTERM saves first.
    """
    console = rich.console.Console()
    settings = dict(map(parse_setting, setting or ()))
    if repeat is None:
        made = {
            "data": data, "images": images, "masks": masks, "val_images": val_images, "val_masks": val_masks,
            "classes": classes, "cache": cache, "network": network, "head": head, "ocr_channels": ocr_channels,
            "weights": weights, "align_corners": align_corners, "remat": remat, "dtype": dtype,
        }  # fmt: skip
        made = {name: str(value) if isinstance(value, pathlib.Path) else value for name, value in made.items()}
    else:
        run = _repeatable(repeat)
        made, recipe, seed = run["notes"], run["settings"], run["seed"]

    counted = settings.get("class_weights")
    if counted in COUNTED_WEIGHTS:
        settings["class_weights"] = None
    chosen = resolve_recipe(recipe, settings)
    if show:
        console.print(str(chosen), soft_wrap=True, highlight=False)
        return
    if not made["network"].endswith(".keras") and made["network"] not in models.VARIANTS:
        raise ValueError(
            f"Received --network {made['network']!r}. Expected a `.keras` file, or one of {', '.join(models.VARIANTS)}."
        )
    data_sets = DataSets(made)
    together = {"hosts": hosts.split(","), "process": process} if hosts else {"devices": devices, "process": process}
    with distributed(**together):
        keras.utils.set_random_seed(seed)
        # Not before: TensorFlow's processes meet before anything else is computed.
        if counted in COUNTED_WEIGHTS:
            settings["class_weights"] = data_sets.class_weights(counted)
        training, validation = data_sets.training(chosen, seed), data_sets.validation()
        model = _network(made, len(validation.class_names))
        if repeat is not None:
            _check_same(run, training, validation)
        model = fitting.train(
            model,
            training,
            validation,
            recipe=recipe,
            run_dir=run_dir,
            seed=seed,
            notes=made,
            save_minutes=save_minutes,
            stop_on_full_disk=stop_on_full_disk,
            **settings,
        )
        weights, trained_classes = model.get_weights(), classes_of(model)
    if process:
        return
    if hosts or devices != 1:
        # The network and the data of before belong to devices and processes that are gone.
        model, validation = _network(made, len(validation.class_names)), data_sets.validation()
        model.set_weights(weights)
        model.classes = trained_classes
    console.print(str(evaluate(model, validation)), highlight=False)


class DataSets:
    """The data of a training, by the options that name it.

    Args:
        made: the options of the command.

    Raises:
        ValueError: if they name no data, or two.
    """

    def __init__(self, made: dict[str, Any]):
        own = [made[name] for name in ("images", "masks", "val_images", "val_masks", "classes")]
        if (made["data"] is None) == (None in own) or (made["data"] and any(own)):
            raise ValueError(
                f"Received --data {made['data']} and --images {own[0]}, --masks {own[1]}, --val-images {own[2]}, "
                f"--val-masks {own[3]}, --classes {own[4]}. Expected either --data, or all of the others."
            )
        self.made = made

    def training(self, recipe: Recipe, seed: int) -> "tf.data.Dataset":
        """Makes the training data of a recipe."""
        return self._dataset("train", seed=seed, cache=self.made["cache"], **recipe.data_arguments())

    def validation(self) -> "tf.data.Dataset":
        """Makes the validation data: whole images, one for each device."""
        return self._dataset("val", augment=False, batch_size=num_devices())

    def class_weights(self, method: str) -> tuple[float, ...]:
        """Counts the classes of the training labels, and weighs them: see `keras_hrnet.data.class_weights`."""
        dataset = self._dataset("train", augment=False, shard=(0, 1))
        return tuple(float(w) for w in class_weights(class_shares(dataset, len(dataset.class_names)), method))

    def _dataset(self, split, **arguments):
        if self.made["data"] is not None:
            return cityscapes(self.made["data"], split, **arguments)
        prefix = "val_" if split == "val" else ""
        names = parse_classes(self.made["classes"]).names
        return folders(self.made[f"{prefix}images"], self.made[f"{prefix}masks"], names, **arguments)


def _network(made, num_classes):
    if made["network"].endswith(".keras"):
        return load_network(pathlib.Path(made["network"]))
    return models.HRNet(
        models.VARIANTS[made["network"]],
        num_classes,
        head=made["head"],
        ocr_channels=tuple(parse_numbers(made["ocr_channels"])),
        weights=made["weights"],
        align_corners=made["align_corners"],
        remat=made["remat"],
        dtype=made["dtype"],
    )


def _repeatable(path):
    run = read_run(path)
    if run["notes"] is None:
        raise ValueError(
            f"{path} is of a training that Python code began. Expected one of this command, which notes how it made "
            "network and data. Call `keras_hrnet.train` again, with `recipe=read_run(path)['settings']`."
        )
    return run


def _check_same(run, training, validation):
    for name, dataset in (("train", training), ("val", validation)):
        if dataset.fingerprint != run[name]["fingerprint"]:
            raise ValueError(
                f"The {name} data are not the files of the run to repeat: they have the fingerprint "
                f"{dataset.fingerprint[:12]}…, and the run's had {run[name]['fingerprint'][:12]}…. Expected the same. "
                "Put the files back, or train anew without --repeat."
            )
