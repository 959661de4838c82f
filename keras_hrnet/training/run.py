"""Reads and writes `run.json`: everything that is needed to repeat a run, and finally its result."""

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import math
import os
import pathlib
import platform
from collections.abc import Iterable
from typing import Any

import keras

from keras_hrnet.data_sets import IGNORE_LABEL
from keras_hrnet.distributed.processes import num_devices
from keras_hrnet.models import classes_of
from keras_hrnet.models.weights_hash import weights_hash
from keras_hrnet.replacing import replacing
from keras_hrnet.training.callbacks.log import read_log
from keras_hrnet.training.checks import batch_size_of, fingerprint_of
from keras_hrnet.training.classes import classes_of_data
from keras_hrnet.training.recipe import Recipe
from keras_hrnet.version import __version__

RUN_FILE = "run.json"
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy")

Run = dict[str, Any]
"""The content of `run.json`."""


def describe_run(
    model: keras.Model,
    train: Any,
    val: Any,
    recipe: Recipe,
    *,
    name: str,
    given: Iterable[str],
    chosen: dict[str, Any],
    seed: int,
    loss: keras.losses.Loss | None,
    notes: dict[str, Any] | None,
    teacher: keras.Model | None = None,
) -> Run:
    """Returns everything that is needed to repeat a run.

    Args:
        model: the network, with its initial weights.
        train: training data.
        val: validation data.
        recipe: the recipe with all its settings.
        name: the name of the recipe.
        given: names of the settings that were changed.
        chosen: settings that the data determined.
        seed: seed of all random numbers.
        loss: the loss that replaces the recipe's, or None.
        notes: the caller's description of how network and data were made, in types that JSON supports, or None.
        teacher: the teacher, or None.
    """
    return {
        "recipe": name,
        "settings": dataclasses.asdict(recipe),
        "given": sorted(given),
        "chosen": chosen,
        "loss": None if loss is None else keras.losses.serialize(loss),
        **({} if teacher is None else {"teacher": {"name": teacher.name, "weights": weights_hash(teacher)}}),
        "seed": seed,
        "network": {
            "name": model.name,
            "output_shape": list(model.output_shape),
            "num_weights": model.count_params(),
            "dtype": model.dtype_policy.name,
            "first_weights": weights_hash(model),
        },
        "ignore_label": classes_of(model).ignore_label,
        "train": _data(train),
        "val": _data(val),
        "backend": keras.config.backend(),
        "devices": num_devices(),
        "versions": {"python": platform.python_version(), "keras_hrnet": __version__, **_versions()},
        "notes": notes,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def identity_of(run: Run) -> str:
    """Returns a hash that is the same for runs that the same command starts, 64 hexadecimal digits.

    Args:
        run: the content of `run.json`.
    """
    # Settings that were not given may be new in a later version, which resumes the same run.
    given = {name: value for name, value in run["settings"].items() if name in run.get("given", ())}
    first_weights, fingerprint = run["network"].get("first_weights"), run["train"].get("fingerprint")
    parts = (run["recipe"], given, run["seed"], first_weights, fingerprint)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def write_run(folder: str | os.PathLike, run: Run) -> None:
    """Writes `run.json` completely or not at all."""
    with replacing(pathlib.Path(folder) / RUN_FILE) as part:
        part.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_run(path: str | os.PathLike) -> Run:
    """Reads the description of a run that `train` wrote.

    Args:
        path: a `run.json`, or the folder that holds it.

    Returns:
        A dict with "recipe" (its name), "settings" (a `Recipe`), "seed", "network", "train", "val", "versions",
        "notes" and others; see `run.json` itself.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not a `run.json`.
    """
    path = pathlib.Path(path)
    path = path / RUN_FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"Received the run {str(path)!r}. Expected a {RUN_FILE} there. Check the path.")
    run = read_file(path)
    return {**run, "settings": Recipe(**run["settings"])}


def read_file(path: pathlib.Path) -> Run:
    """Reads a `run.json` file.

    Raises:
        ValueError: if it does not describe a run.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        _check_kinds(run)
        # Runs of earlier versions lack some settings, which had their default values.
        settings = json.loads(json.dumps(dataclasses.asdict(Recipe(**run["settings"]))))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{path} does not describe a run ({error}). Expected a file that `train` wrote. Take it from the folder "
            "of a run."
        ) from error
    # Runs of earlier versions always had this ignore label.
    return {"ignore_label": IGNORE_LABEL, **run, "settings": settings}


def _check_kinds(run):
    """Refuses JSON that does not have the structure of a run, because a file of unknown origin may contain anything."""
    kinds = {
        "recipe": str, "settings": dict, "seed": int, "network": dict, "train": dict, "val": dict,
        "notes": dict | None, "given": list, "result": dict,
    }  # fmt: skip
    # A run has no result before its end, and runs of the first version do not name the given settings.
    absent = {"given": [], "result": {}}
    if not isinstance(run, dict):
        raise TypeError(f"it holds a {type(run).__name__}")
    for name, kind in kinds.items():
        if not isinstance(run.get(name, absent.get(name, ...)), kind):
            raise TypeError(f"{name!r} is missing" if name not in run else f"{name!r} is {run[name]!r:.80}")


def result_of(folder: pathlib.Path, seconds: float) -> dict[str, Any]:
    """Returns the result of a run, from its log.

    Args:
        folder: folder of the run.
        seconds: duration of the run.
    """
    path = folder / "log.csv"
    log = read_log(path) if path.is_file() else {}
    scores = [score for score in log.get("val_mean_iou", []) if math.isfinite(score)]
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return {
        "seconds": round(seconds, 1),
        "validations": len(scores),
        "best_validation": None if best is None else best + 1,
        "best_mean_iou": None if best is None else scores[best],
    }


def _data(dataset):
    try:
        batches = len(dataset)
    except TypeError:
        batches = None
    classes = classes_of_data(dataset)
    return {
        "batches": batches,
        "batch_size": batch_size_of(dataset),
        "class_names": None if classes is None else list(classes.names),
        "fingerprint": fingerprint_of(dataset),
    }


def _versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found
