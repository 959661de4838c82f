"""The folder of a training: found or made, kept from other trainings, and opened by all processes together."""

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
from keras_hrnet.training.run import RUN_FILE, Run, read_file, write_run

DEFAULT_FOLDER = "runs"
# What must be the same for a training to be resumed in a folder that was named; weights are those of the last save, and
# several devices validate larger batches than one.
SAME = ("settings", "loss", "teacher", "seed", "network", "train", "val", "backend", "notes", "ignore_label")
MAY_DIFFER = ("network.name", "teacher.name", "network.first_weights", "val.batches", "val.batch_size")


@contextlib.contextmanager
def open_folder_together(run_dir: str | os.PathLike | None, run: Run) -> Iterator[tuple[pathlib.Path, Run]]:
    """Does what `open_folder` does, in the first of the processes that train together, and tells the others.

    Args:
        run_dir: as `open_folder`; that of the first process counts.
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
def open_folder(run_dir: str | os.PathLike | None, run: Run) -> Iterator[tuple[pathlib.Path, Run]]:
    """Finds or makes the folder of a training, and keeps other processes out of it.

    Args:
        run_dir: where; None for the first `runs/<network>-<recipe>-<number>` that is free, or holds this very training
            unfinished.
        run: what `describe_run` says.

    Yields:
        The folder, and what its `run.json` says: `run`, or what was written there when the training began.

    Raises:
        ValueError: if another training has been written there.
        NotADirectoryError: if it is a file.
        BlockingIOError: if another process trains there.
    """
    with contextlib.ExitStack() as stack:
        folder = _free_folder(run, stack) if run_dir is None else _given_folder(run_dir, stack)
        if (folder / RUN_FILE).exists():
            known = read_file(folder / RUN_FILE)
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
        known = read_file(folder / RUN_FILE)
    except (OSError, ValueError):
        return False
    # Without a folder's name, a training with other first weights is another one.
    begins_alike = known["network"].get("first_weights") == run["network"]["first_weights"]
    return "result" not in known and begins_alike and not _differences(known, run)


def _require_same(folder, known, run):
    differences = _differences(known, run)
    if differences:
        name, theirs, ours = differences[0]
        raise ValueError(
            f"Received run_dir={str(folder)!r}, which holds a training already, of {name}={theirs!r}, for one of "
            f"{name}={ours!r}. Expected an empty folder, so that nothing is lost, or the same training, to resume it. "
            "Pass another, or delete it."
        )


def _differences(known: Run, run: Run, may_differ: Sequence[str] = MAY_DIFFER) -> list[tuple[str, Any, Any]]:
    """Lists what makes two trainings of them: name and both values."""
    # As JSON gives it back.
    run = json.loads(json.dumps(run))
    left, right = ({name: value for part in SAME for name, value in _named(part, of.get(part))} for of in (known, run))
    names = [name for name in dict.fromkeys((*left, *right)) if name not in may_differ]
    return [(name, left.get(name), right.get(name)) for name in names if left.get(name) != right.get(name)]


def _named(part, value):
    return [(f"{part}.{name}", inner) for name, inner in value.items()] if isinstance(value, dict) else [(part, value)]
