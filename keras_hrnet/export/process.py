"""Writes a file in a TensorFlow process of its own: how JAX and torch come to what only TensorFlow writes."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

LAST_LINES = 15


def convert_in_process(model, options, folder):
    """Converts a network as `keras_hrnet.export.conversion.convert` does, whatever the backend of this process.

    Args:
        model: a functional network.
        options: a `TFLiteOptions`.
        folder: an empty folder for the files in between.

    Returns:
        The `.tflite` file, bytes.

    Raises:
        RuntimeError: if the process fails; with the last lines that it wrote.
    """
    output_path = pathlib.Path(folder) / "model.tflite"
    write_in_process("tflite", model, options, output_path, folder)
    return output_path.read_bytes()


def write_in_process(kind, model, options, output_path, folder):
    """Writes a network in a TensorFlow process, whatever the backend of this one.

    Args:
        kind: what to write: a name of `keras_hrnet.export.worker.KINDS`.
        model: a functional network.
        options: a dataclass of numbers, strings and tuples: the options of that kind.
        output_path: the file or folder to write; not there yet.
        folder: a folder for the files in between, "model.keras" and "options.json".

    Raises:
        RuntimeError: if the process fails; with the last lines that it wrote.
    """
    model_path, options_path = (pathlib.Path(folder) / name for name in ("model.keras", "options.json"))
    model.save(model_path)
    options_path.write_text(json.dumps(dataclasses.asdict(options)))
    command = [sys.executable, "-m", "keras_hrnet.export.worker", kind, model_path, options_path, output_path]
    finished = subprocess.run(command, env=_environment(), capture_output=True, text=True, errors="replace")
    if finished.returncode != 0:
        lines = "\n".join(finished.stderr.strip().splitlines()[-LAST_LINES:])
        raise RuntimeError(
            f"The TensorFlow process that converts the model {model.name!r} ended with status {finished.returncode}. "
            "Expected 0. Read its last lines; layers of your own must be registered with "
            f"keras.saving.register_keras_serializable in a module that keras_hrnet imports:\n{lines}"
        )


def _environment():
    package_root = str(pathlib.Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    # The GPU belongs to this process, and conversion needs none.
    return {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": search_path}
