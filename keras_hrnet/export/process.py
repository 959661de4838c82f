"""Writes a file in a separate TensorFlow process, so that JAX and PyTorch can export to TensorFlow's formats."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import keras

from keras_hrnet.export.options import ExportOptions
from keras_hrnet.layers.sublayers import sublayers

NUM_LAST_LINES = 15
# Keras prints the whole configuration of a model in one line.
LONGEST_LINE = 300


def write_in_process(kind: str, network: keras.Model, options: ExportOptions, path: pathlib.Path) -> None:
    """Writes a network in a TensorFlow process, regardless of the backend of this process.

    Args:
        kind: the format of the file, a name in `keras_hrnet.export.formats.FORMATS`.
        network: a functional network; the process imports the modules of its layers.
        options: the options of that format, as `ExportOptions.for_model` returns them.
        path: the file or folder to write, which must not exist yet.

    Raises:
        RuntimeError: if the process fails; the message contains the last lines that it wrote.
    """
    with tempfile.TemporaryDirectory(prefix=".process-", dir=path.parent) as folder:
        model_path, task_path = (pathlib.Path(folder) / name for name in ("model.keras", "task.json"))
        network.save(model_path)
        task = {"kind": kind, "options": dataclasses.asdict(options), "modules": _modules(network)}
        task_path.write_text(json.dumps(task))
        command = [sys.executable, "-m", "keras_hrnet.export.worker", task_path, model_path, path]
        finished = subprocess.run(command, env=_environment(), capture_output=True, text=True, errors="replace")
    if finished.returncode != 0:
        raise RuntimeError(
            f"The TensorFlow process that converts the model {network.name!r} ended with status "
            f"{finished.returncode}. Expected 0. Read its last lines; your own layers must be registered with "
            "keras.saving.register_keras_serializable in a module that it can import:\n"
            f"{last_lines(finished.stderr)}"
        )


def last_lines(text: str) -> str:
    """Returns the last lines of what a process printed, each of at most `LONGEST_LINE` characters."""
    lines = text.strip().splitlines()[-NUM_LAST_LINES:]
    return "\n".join(line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 2]} …" for line in lines)


def check_importable(network: keras.Model) -> None:
    """Refuses a network with layers that another process cannot import.

    Raises:
        ValueError: if the class of a layer is defined in the running script or notebook.
    """
    own = sorted({type(layer).__name__ for layer in sublayers(network) if type(layer).__module__ == "__main__"})
    if own:
        raise ValueError(
            f"Received the model {network.name!r} with layers of {', '.join(own)}, defined in the running script or "
            f"notebook. Expected classes in a module, because the {keras.config.backend()} backend exports through a "
            "TensorFlow process, which imports them. Move them to a file next to the script, decorate them there "
            "with keras.saving.register_keras_serializable, and import them from it."
        )


def _modules(network):
    """Returns the modules of a network's layers, which register them with Keras, and their files."""
    names = {type(layer).__module__ for layer in sublayers(network)}
    return {name: getattr(sys.modules[name], "__file__", None) for name in sorted(names)}


def _environment():
    search_path = [str(pathlib.Path(__file__).resolve().parents[2]), *filter(None, sys.path)]
    # The GPU belongs to this process, and conversion needs none.
    own = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": os.pathsep.join(search_path)}
    return {**os.environ, **own}
