"""The folder of a training: what is written to it, and `run.json`, from which the training can be repeated."""

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform

import keras

from keras_hrnet.training.checks import batch_size_of, class_names_of
from keras_hrnet.training.recipes import Recipe
from keras_hrnet.version import __version__

RUN_FILE = "run.json"
DEFAULT_FOLDER = "runs"
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy")


def new_folder(run_dir, model_name, recipe_name):
    """Makes the folder of a training.

    Args:
        run_dir: where; None for the first free `runs/<network>-<recipe>-<number>`.
        model_name: of the network.
        recipe_name: of the recipe.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        ValueError: if a training has been written there.
        NotADirectoryError: if it is a file.
    """
    if run_dir is None:
        stem = pathlib.Path(DEFAULT_FOLDER) / f"{model_name}-{recipe_name}"
        run_dir = next(path for path in _numbered(stem) if not path.exists())
    folder = pathlib.Path(run_dir)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"Received run_dir={str(folder)!r}, a file. Expected a folder. Pass another.")
    if (folder / RUN_FILE).exists():
        raise ValueError(
            f"Received run_dir={str(folder)!r}, which holds a training already. Expected an empty folder, so that "
            "nothing is lost. Pass another, or delete it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def describe_run(model, train, val, recipe, *, name, given, seed, loss, notes):
    """Says all that a repetition needs.

    Args:
        model: the network, with its first weights.
        train: training data.
        val: validation data.
        recipe: the `Recipe`.
        name: what the recipe is called.
        given: names of the settings that differ from it.
        seed: of all random numbers.
        loss: a `keras.losses.Loss` in place of the recipe's, or None.
        notes: of the caller, on how network and data were made: a dict of what JSON holds, or None.

    Returns:
        A dict of what JSON holds.
    """
    return {
        "recipe": name,
        "settings": dataclasses.asdict(recipe),
        "given": sorted(given),
        "loss": None if loss is None else keras.losses.serialize(loss),
        "seed": seed,
        "network": {
            "name": model.name,
            "output_shape": list(model.output_shape),
            "num_weights": model.count_params(),
            "dtype": model.dtype_policy.name,
            "first_weights": weights_hash(model),
        },
        "train": _data(train),
        "val": _data(val),
        "backend": keras.config.backend(),
        "versions": {"python": platform.python_version(), "keras_hrnet": __version__, **_versions()},
        "notes": notes,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def write_run(folder, run):
    """Writes `run.json`, whole or not at all."""
    path = pathlib.Path(folder) / RUN_FILE
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def read_run(path):
    """Reads what `train` wrote of a training.

    Args:
        path: a `run.json`, or the folder that holds it.

    Returns:
        A dict with "recipe" (its name), "settings" (a `Recipe`), "seed", "network", "train", "val", "versions",
        "notes" and others; see `run.json` itself.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is none.
    """
    path = pathlib.Path(path)
    path = path / RUN_FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"Received the run {str(path)!r}. Expected a {RUN_FILE} there. Check the path.")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        run["settings"] = Recipe(**run["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} does not describe a training ({error}). Expected what `train` writes. Take it from a run."
        ) from error
    return run


def weights_hash(model):
    """Returns a hash of all weights of a model, in their order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for variable in model.variables:
        value = keras.ops.convert_to_numpy(variable)
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _numbered(stem):
    number = 1
    while True:
        yield stem.with_name(f"{stem.name}-{number}")
        number += 1


def _data(dataset):
    try:
        batches = len(dataset)
    except TypeError:
        batches = None
    names = class_names_of(dataset)
    return {
        "batches": batches,
        "batch_size": batch_size_of(dataset),
        "class_names": None if names is None else list(names),
        "fingerprint": getattr(dataset, "fingerprint", None),
    }


def _versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found
