"""The formats to which networks are exported, and functions that open and read a file of any of them."""

import os
import pathlib
from typing import Any

from keras_hrnet.export.onnx import ONNX
from keras_hrnet.export.openvino import OPENVINO
from keras_hrnet.export.pipeline import size_of
from keras_hrnet.export.runner import KerasRunner, Runner
from keras_hrnet.export.saved_model import SAVED_MODEL
from keras_hrnet.export.tflite import TFLITE
from keras_hrnet.export.web.export import PAGES
from keras_hrnet.mistaken import check_not_mistaken
from keras_hrnet.models.saved_files import load_saved

FORMATS = {kind.name: kind for kind in (TFLITE, ONNX, OPENVINO, SAVED_MODEL, *PAGES.values())}


def open_runner(path: str | os.PathLike, num_threads: int | None = None) -> Runner:
    """Opens an exported file, or a saved network, to run it on the CPU.

    Args:
        path: a `.tflite`, `.onnx`, `.xml` (OpenVINO) or `.keras` file, or the folder of a SavedModel.
        num_threads: number of threads of LiteRT, ONNX Runtime and OpenVINO; None uses all cores. Other formats use the
            environment variables OMP_NUM_THREADS and TF_NUM_INTRAOP_THREADS.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if it has another format, or is a web page or a Git LFS pointer with such a name.
    """
    path = pathlib.Path(path)
    if path.is_file() and path.suffix == ".keras":
        return KerasRunner(load_saved(path))
    return _kind_of(path, "a .keras file").open(path, num_threads)


def read_metadata(path: str | os.PathLike) -> dict[str, Any]:
    """Reads the metadata that an export stored in a file for the program that runs it.

    Args:
        path: a `.tflite`, `.onnx` or `.xml` file, or the folder of a SavedModel.

    Returns:
        A dict: "input" and "output" (the signature), "precision", "class_names", "colors" (red, green and blue of each
        class, in [0, 255]), "ignore_label" (the train id of ignored pixels), "resize" (the convention of the network),
        "source" (model and SHA-256 of its weights), "keras_hrnet" (the version that wrote it).

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if it is damaged, or was not exported by this package.
    """
    metadata = find_metadata(path)
    if metadata is None:
        raise ValueError(
            f"Received the file {str(path)!r}, which contains no metadata of keras_hrnet. Expected a file that this "
            "package exported. Export the network again."
        )
    return metadata


def find_metadata(path: str | os.PathLike) -> dict[str, Any] | None:
    """Reads metadata like `read_metadata`; returns None if the file was not exported by this package.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if it is damaged, or of another kind.
    """
    path = pathlib.Path(path)
    return _kind_of(path).read_metadata(path)


def size_of_export(path: str | os.PathLike) -> int:
    """Returns the total size in bytes of all files of an exported or saved network."""
    path = pathlib.Path(path)
    kind = next((kind for kind in FORMATS.values() if kind.is_at(path)), None)
    return sum(map(size_of, kind.files(path) if kind else [path]))


def _kind_of(path, *others):
    for kind in FORMATS.values():
        if kind.is_at(path):
            check_not_mistaken(kind.main_file(path))
            return kind
    expected = [f"a {kind.suffix} file" if kind.suffix else f"a {kind.title} folder" for kind in FORMATS.values()]
    message = f"Received the path {str(path)!r}. Expected {' or '.join(dict.fromkeys([*expected, *others]))}."
    if not path.exists():
        raise FileNotFoundError(f"{message} Check the name.")
    raise ValueError(f"{message} Export the network to one.")
