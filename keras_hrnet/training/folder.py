"""Opens the folder of a run in all processes together, creates it if needed, and protects it from other runs."""

import contextlib
import itertools
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from keras_hrnet.distributed.processes import gather_texts, this_process
from keras_hrnet.replacing import remove_parts
from keras_hrnet.training.lock import locked
from keras_hrnet.training.recipe import LEFT_TO_DATA
from keras_hrnet.training.run import RUN_FILE, Run, read_file, write_run

DEFAULT_FOLDER = "runs"
# Entries that must be the same for a run to be resumed in a named folder, and exceptions from them. The weights are
# those of the last save, several devices validate larger batches than one device, and the source is a text to read.
SAME = ("settings", "loss", "teacher", "seed", "network", "train", "val", "backend", "notes", "ignore_label")
FINGERPRINTS = {"train.fingerprint": "training data", "val.fingerprint": "validation data"}
MAY_DIFFER = (
    "network.name", "teacher.name", "network.first_weights", "val.batches", "val.batch_size", "settings.source"
)  # fmt: skip


@contextlib.contextmanager
def open_folder_together(run_dir: str | os.PathLike | None, run: Run) -> Iterator[tuple[pathlib.Path, Run]]:
    """Calls `open_folder` in the first of the processes that train together, and sends the result to the others.

    Args:
        run_dir: as in `open_folder`; the value of the first process counts.
        run: as in `open_folder`.

    Yields:
        The same as `open_folder`.

    Raises:
        ValueError: if the processes have different runs, or the folder of the first process holds another run.
        RuntimeError: in the other processes, if the first one raises an error.
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
            raise RuntimeError(f"The first process stopped before the run started: {found}")
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
        # The name of a network may differ between processes.
        for name, ours, theirs in _differences(runs[0], other, may_differ=("network.name",)):
            raise ValueError(
                f"Received a run with {name}={ours!r} in the first process, and with {name}={theirs!r} in process "
                f"{i}. Expected the same run. Run the same code in each process, with the same files and seeds, and "
                "make the network inside `distributed`."
            )


@contextlib.contextmanager
def open_folder(run_dir: str | os.PathLike | None, run: Run) -> Iterator[tuple[pathlib.Path, Run]]:
    """Finds or creates the folder of a run, and keeps other processes out of it.

    Args:
        run_dir: the folder; None uses the first `runs/<network>-<recipe>-<number>` that does not exist, or that holds
            the same run unfinished.
        run: the result of `describe_run`.

    Yields:
        The folder, and the content of its `run.json`: `run`, or the description that was written when the run started.

    Raises:
        ValueError: if the folder holds another run.
        NotADirectoryError: if it is a file.
        BlockingIOError: if another process trains there.
    """
    with contextlib.ExitStack() as stack:
        folder = _free_folder(run, stack) if run_dir is None else _given_folder(run_dir, stack)
        if (folder / RUN_FILE).exists():
            known = read_file(folder / RUN_FILE)
            _require_same(folder, known, run)
            remove_parts(folder, min_age=0)
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
        # Another process may train there, or may just have created it.
        with contextlib.suppress(BlockingIOError):
            stack.enter_context(locked(folder))
            return folder


def _is_unfinished(folder, run):
    try:
        known = read_file(folder / RUN_FILE)
    except (OSError, ValueError):
        return False
    # If no folder is named, different initial weights make a different run.
    begins_alike = known["network"].get("first_weights") == run["network"]["first_weights"]
    return "result" not in known and begins_alike and not _differences(known, run)


def _require_same(folder, known, run):
    differences = _differences(known, run)
    if differences:
        # Settings that a recipe derives from others, such as the epochs from the updates, say less than those others.
        name, theirs, ours = min(differences, key=lambda each: each[0].removeprefix("settings.") in LEFT_TO_DATA)
        if name in FINGERPRINTS:
            raise ValueError(
                f"Received run_dir={str(folder)!r}, which already holds a run with other {FINGERPRINTS[name]}: files "
                "were added, removed, renamed or replaced. Expected the same files, to resume the run. Restore them, "
                "or pass an empty folder for a new run."
            )
        name = name.removeprefix("settings.")
        raise ValueError(
            f"Received run_dir={str(folder)!r}, which already holds a run with {name}={theirs!r}, for a run with "
            f"{name}={ours!r}. Expected an empty folder, so that nothing is lost, or the folder of the same run, to "
            "resume it. Pass another folder, or delete this one."
        )


def _differences(known: Run, run: Run, may_differ: Sequence[str] = MAY_DIFFER) -> list[tuple[str, Any, Any]]:
    """Lists the differences between two runs: the name and both values."""
    # The other run was read from JSON, which turns tuples into lists.
    run = json.loads(json.dumps(run))
    left, right = ({name: value for part in SAME for name, value in _named(part, of.get(part))} for of in (known, run))
    names = [name for name in dict.fromkeys((*left, *right)) if name not in may_differ]
    return [(name, left.get(name), right.get(name)) for name in names if left.get(name) != right.get(name)]


def _named(part, value):
    return [(f"{part}.{name}", inner) for name, inner in value.items()] if isinstance(value, dict) else [(part, value)]
