"""The kinds of files that networks are exported to, and how a file of any of them is opened."""

import os
import pathlib

import keras

from keras_hrnet.export.onnx import ONNX
from keras_hrnet.export.runner import KerasRunner, Runner
from keras_hrnet.export.saved_model import SAVED_MODEL
from keras_hrnet.export.tflite import TFLITE

FORMATS = {kind.name: kind for kind in (TFLITE, ONNX, SAVED_MODEL)}


def open_runner(path: str | os.PathLike, num_threads: int | None = None) -> Runner:
    """Opens an exported file, or a saved network, to run it on the CPU.

    Args:
        path: a `.tflite`, `.onnx` or `.keras` file, or the folder of a SavedModel.
        num_threads: on how many cores LiteRT and ONNX Runtime run; None for all. The others take it from their
            process's variables: OMP_NUM_THREADS and TF_NUM_INTRAOP_THREADS.

    Returns:
        A function from uint8 images to what the file answers for them: see `Runner`.

    Raises:
        FileNotFoundError: if there is nothing.
        ValueError: if it is none of these.
    """
    path = pathlib.Path(path)
    if path.is_file() and path.suffix == ".keras":
        return KerasRunner(keras.models.load_model(path, compile=False))
    for kind in FORMATS.values():
        if kind.is_at(path):
            return kind.open(path, num_threads)
    expected = ", ".join([*(kind.suffix for kind in FORMATS.values() if kind.suffix), ".keras", "a SavedModel folder"])
    if not path.exists():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected {expected}. Check the name.")
    raise ValueError(f"Received the path {str(path)!r}. Expected {expected}. Export the network to one.")
