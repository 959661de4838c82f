"""The folder of a training: what is written to it, and `run.json`, from which the training can be repeated."""

import contextlib
import dataclasses
import datetime
import hashlib
import importlib.metadata
import itertools
import json
import pathlib
import platform

import keras

from keras_hrnet.distributed.processes import gather_texts, num_devices, this_process
from keras_hrnet.replacing import remove_parts, replacing
from keras_hrnet.training.checks import batch_size_of, class_names_of
from keras_hrnet.training.lock import locked
from keras_hrnet.training.recipes import Recipe
from keras_hrnet.version import __version__

RUN_FILE = "run.json"
DEFAULT_FOLDER = "runs"
# What must be the same for a training to go on in a folder that was named; weights are those of the last save, and
# several devices validate larger batches than one.
SAME = ("settings", "loss", "seed", "network", "train", "val", "backend", "notes")
MAY_DIFFER = ("network.name", "network.first_weights", "val.batches", "val.batch_size")
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy")


@contextlib.contextmanager
def open_folder_together(run_dir, run):
    """Does what `open_folder` does, in the first of the processes that train together, and lets the others know.

    Args:
        run_dir: as `open_folder`; what the first process was given counts.
        run: as `open_folder`.

    Yields:
        What `open_folder` does.

    Raises:
        ValueError: if another process has another training, or the first one's folder holds another.
        RuntimeError: in the others, if the first process raises.
    """
    process = this_process()
    if process.count == 1:
        with open_folder(run_dir, run) as found:
            yield found
        return
    _require_same_everywhere(run)
    if not process.is_first:
        found = json.loads(gather_texts("")[0])
        if isinstance(found, str):
            raise RuntimeError(f"The first process stopped before the training began: {found}")
        yield pathlib.Path(found[0]), found[1]
        return
    with contextlib.ExitStack() as stack:
        try:
            folder, run = stack.enter_context(open_folder(run_dir, run))
        except Exception as error:
            gather_texts(json.dumps(str(error)))
            raise
        gather_texts(json.dumps([str(folder), run]))
        yield folder, run


def _require_same_everywhere(run):
    runs = [json.loads(text) for text in gather_texts(json.dumps(run))]
    for i, other in enumerate(runs):
        # A network that has another name in one process is the same network.
        for name, ours, theirs in _differences(runs[0], other, may_differ=("network.name",)):
            raise ValueError(
                f"Received a training of {name}={ours!r} in the first process, and of {name}={theirs!r} in process "
                f"{i}. Expected one training. Run the same code in each process, with the same files and seeds, and "
                "make the network inside of `distributed`."
            )


@contextlib.contextmanager
def open_folder(run_dir, run):
    """Finds or makes the folder of a training, and keeps other processes out of it.

    Args:
        run_dir: where; None for the first `runs/<network>-<recipe>-<number>` that is free, or holds this very training
            unfinished.
        run: what `describe_run` says.

    Yields:
        The folder, a `pathlib.Path`, and what its `run.json` says: `run`, or what an earlier start wrote of it.

    Raises:
        ValueError: if another training has been written there.
        NotADirectoryError: if it is a file.
        BlockingIOError: if another process trains there.
    """
    with contextlib.ExitStack() as stack:
        folder = _free_folder(run, stack) if run_dir is None else _given_folder(run_dir, stack)
        if (folder / RUN_FILE).exists():
            known = _read(folder / RUN_FILE)
            _require_same(folder, known, run)
            remove_parts(folder)
        else:
            known = run
            write_run(folder, run)
        yield folder, known


def _given_folder(run_dir, stack):
    folder = pathlib.Path(run_dir)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"Received run_dir={str(folder)!r}, a file. Expected a folder. Pass another.")
    folder.mkdir(parents=True, exist_ok=True)
    stack.enter_context(locked(folder))
    return folder


def _free_folder(run, stack):
    stem = pathlib.Path(DEFAULT_FOLDER) / f"{run['network']['name']}-{run['recipe']}"
    for number in itertools.count(1):
        folder = stem.with_name(f"{stem.name}-{number}")
        if folder.exists() and not _is_unfinished(folder, run):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        # Another process may train there, or may just have made it.
        with contextlib.suppress(BlockingIOError):
            stack.enter_context(locked(folder))
            return folder


def _is_unfinished(folder, run):
    try:
        known = _read(folder / RUN_FILE)
    except (OSError, ValueError):
        return False
    # Who names no folder and begins with other weights means another training.
    begins_alike = known["network"]["first_weights"] == run["network"]["first_weights"]
    return "result" not in known and begins_alike and not _differences(known, run)


def _require_same(folder, known, run):
    differences = _differences(known, run)
    if differences:
        name, theirs, ours = differences[0]
        raise ValueError(
            f"Received run_dir={str(folder)!r}, which holds a training already, of {name}={theirs!r}, for one of "
            f"{name}={ours!r}. Expected an empty folder, so that nothing is lost, or the same training, to go on with "
            "it. Pass another, or delete it."
        )


def _differences(known, run, may_differ=MAY_DIFFER):
    """Lists what makes another training of two: name and both values."""
    # As JSON gives it back.
    run = json.loads(json.dumps(run))
    left, right = ({name: value for part in SAME for name, value in _named(part, of.get(part))} for of in (known, run))
    names = [name for name in dict.fromkeys((*left, *right)) if name not in may_differ]
    return [(name, left.get(name), right.get(name)) for name in names if left.get(name) != right.get(name)]


def _named(part, value):
    return [(f"{part}.{name}", inner) for name, inner in value.items()] if isinstance(value, dict) else [(part, value)]


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
        "devices": num_devices(),
        "versions": {"python": platform.python_version(), "keras_hrnet": __version__, **_versions()},
        "notes": notes,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def write_run(folder, run):
    """Writes `run.json`, whole or not at all."""
    with replacing(pathlib.Path(folder) / RUN_FILE) as part:
        part.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


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
    run = _read(path)
    return {**run, "settings": Recipe(**run["settings"])}


def _read(path):
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        Recipe(**run["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} does not describe a training ({error}). Expected what `train` writes. Take it from a run."
        ) from error
    return run


def weights_hash(model):
    """Returns a hash of all weights of a model, without its seeds, in their order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for variable in model.weights:
        value = keras.ops.convert_to_numpy(variable)
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _data(dataset):
    try:
        batches = len(dataset)
    except TypeError:
        batches = None
    names = class_names_of(dataset)
    # A `tf.data.Dataset` has a method of that name.
    fingerprint = getattr(dataset, "fingerprint", None)
    return {
        "batches": batches,
        "batch_size": batch_size_of(dataset),
        "class_names": None if names is None else list(names),
        "fingerprint": fingerprint if isinstance(fingerprint, str) else None,
    }


def _versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found
