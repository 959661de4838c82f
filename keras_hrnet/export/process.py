"""Writes a file in a TensorFlow process of its own: how JAX and torch come to what only TensorFlow writes."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import keras

from keras_hrnet.export.options import ExportOptions

LAST_LINES = 15


def write_in_process(kind: str, network: keras.Model, options: ExportOptions, path: pathlib.Path) -> None:
    """Writes a network in a TensorFlow process, whatever the backend of this one.

    Args:
        kind: of file: a name of `keras_hrnet.export.formats.FORMATS`.
        network: a functional network.
        options: of that kind of file, as fitted to the network.
        path: the file or folder to write; not there yet.

    Raises:
        RuntimeError: if the process fails; with the last lines that it wrote.
    """
    with tempfile.TemporaryDirectory(prefix=".process-", dir=path.parent) as folder:
        model_path, options_path = (pathlib.Path(folder) / name for name in ("model.keras", "options.json"))
        network.save(model_path)
        options_path.write_text(json.dumps(dataclasses.asdict(options)))
        command = [sys.executable, "-m", "keras_hrnet.export.worker", kind, model_path, options_path, path]
        finished = subprocess.run(command, env=_environment(), capture_output=True, text=True, errors="replace")
    if finished.returncode != 0:
        lines = "\n".join(finished.stderr.strip().splitlines()[-LAST_LINES:])
        raise RuntimeError(
            f"The TensorFlow process that converts the model {network.name!r} ended with status {finished.returncode}. "
            "Expected 0. Read its last lines; layers of your own must be registered with "
            f"keras.saving.register_keras_serializable in a module that keras_hrnet imports:\n{lines}"
        )


def _environment():
    package_root = str(pathlib.Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    # The GPU belongs to this process, and conversion needs none.
    return {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": search_path}
