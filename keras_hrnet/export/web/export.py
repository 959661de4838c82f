"""Writes a network as a web page that segments photos: the public function `export_web`."""

import abc
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from keras_hrnet.export.comparison import Reference
from keras_hrnet.export.format import Format
from keras_hrnet.export.onnx import ONNX
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.export.pipeline import checked_path, export_network
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.runner import Runner
from keras_hrnet.export.tflite import TFLITE
from keras_hrnet.export.web.options import CHANNELS, FixedOnnxOptions, check_shown, page_options
from keras_hrnet.export.web.packages import LITERT, ONNX_RUNTIME, Runtime
from keras_hrnet.export.web.pages import CONTENTS, write_page
from keras_hrnet.export.web.runtime import find_runtime
from keras_hrnet.replacing import put_in_place, unfinished_folder


def export_web(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    image_size: tuple[int, int],
    file_format: str = "tflite",
    precision: str = "float32",
    output: str = "logits",
    input_dtype: str = "float32",
    representative_data: Any = None,
    class_names: Sequence[str] | None = None,
    sensitivity: bool = False,
    runtime: str | os.PathLike | None = None,
) -> ExportReport:
    """Writes a network as a folder that any web server can serve: a page that segments photos in the browser.

    Users drop photos on the page, choose them, or take them with the camera. The page shows an overlay, the share of
    each class, and the time of each run. No data leaves the page, and its policy forbids it to load anything from
    another host. It resizes photos exactly as Pillow does, so that its labels equal those of
    `examples/on_device/segment.py`.

    The folder contains the network as the file that `export_tflite` or `export_onnx` writes, verified in the same way.
    LiteRT.js or ONNX Runtime Web runs it on the processor (WebAssembly), or on the graphics processor (WebGPU) if the
    user chooses that. npm downloads the packages of this runtime once, in a pinned version, into the cache
    (`keras_hrnet/litertjs` or `keras_hrnet/onnxruntime-web` in `$KERAS_HOME`, or in `~/.keras`), and their SHA-512 is
    verified.

    The page can use several threads only if the server isolates it, as `keras-hrnet serve` does; otherwise it uses one.

    Args:
        model: a functional network from RGB or gray images to logits of every pixel, in float32.
        path: the folder to create. An existing page, or an empty folder, is replaced after the new one has been
            verified; any other folder or file is not replaced.
        image_size: (height, width) in pixels to which photos are resized.
        file_format: "tflite", or "onnx", which is always "float32" and returns logits.
        precision: as in `export_tflite`; all options that are not described here are the same as there.
        output: as there. "logits_stride4" and "labels" are faster, because less data is copied.
        input_dtype: as there.
        representative_data: as there.
        class_names: as there.
        sensitivity: as there.
        runtime: a folder with the archives of the npm packages, as `npm pack` writes them; None for the cache.

    Returns:
        An `ExportReport`; the size is that of the whole folder. It is written next to the folder as JSON.

    Raises:
        FileNotFoundError: if the parent folder of `path` is missing, or an archive of the runtime is missing and npm
            cannot download it. The message states which files to put where.
        FileExistsError: if `path` is something other than a page.
        ImportError, TypeError, RuntimeError: as `export_tflite` or `export_onnx`.
        ValueError: as there, or if an option does not apply to the format, the model does not segment photos, or an
            archive is not the pinned one.

    Example:

    ```python
    keras_hrnet.export_web(model, "web", image_size=(512, 1024), precision="int8", representative_data=train)
    ```
    """
    options = page_options(
        file_format, image_size, input_dtype, precision=precision, output=output, sensitivity=sensitivity
    )
    check_shown(model, options.for_model(model))
    kind = PAGES[file_format]
    checked_path(kind, path)
    files = find_runtime(kind.runtime, runtime)
    return export_network(type(kind)(files), model, path, options, representative_data, class_names)


def write_web_page(
    file: str | os.PathLike, path: str | os.PathLike, *, runtime: str | os.PathLike | None = None
) -> pathlib.Path:
    """Writes the page of `export_web` for a file that `export_tflite` or `export_onnx` wrote.

    Args:
        file: the `.tflite` or `.onnx` file, for single images of one size.
        path: the folder to create, as in `export_web`.
        runtime: as there.

    Returns:
        The path of the folder.

    Raises:
        FileNotFoundError, FileExistsError: as `export_web`.
        ImportError: if the file is an ONNX file, and onnx or onnxruntime is not installed.
        ValueError: if the file was not exported by this package, or does not segment single photos of one size.
    """
    file = pathlib.Path(file)
    kind = next((kind for kind in PAGES.values() if kind.file.is_at(file)), None)
    path = checked_path(WEB_TFLITE, path)
    metadata = _metadata_for_page(kind, file)
    files = find_runtime(kind.runtime, runtime)
    with unfinished_folder(path) as folder:
        written = folder / path.name
        written.mkdir()
        (written / kind.runtime.model).write_bytes(file.read_bytes())
        write_page(written, metadata, kind.runtime, files)
        put_in_place(written, path)
    return path


def _metadata_for_page(kind, file):
    metadata = kind.file.read_metadata(file) if kind else None
    if metadata is None:
        raise (ValueError if file.exists() else FileNotFoundError)(
            f"Received the file {str(file)!r}. Expected a .tflite or .onnx file that keras_hrnet exported. Export the "
            "network again."
        )
    runner = kind.file.open(file, 1)
    output = kind.output_shape(runner)
    is_single = runner.batch_size in (1, None) and runner.image_size is not None
    is_dense = len(output) == (3 if metadata["output"]["kind"] == "labels" else 4)
    if not is_single or runner.channels not in CHANNELS or "mean" in metadata["input"] or not is_dense:
        raise ValueError(
            f"Received the file {str(file)!r}, which maps images of shape {tuple(metadata['input']['shape'])} to an "
            f"output of shape {output}. Expected one image of a fixed size, of RGB or gray pixels in [0, 255], and an "
            "output for each pixel. Export the network for it, with image_size and batch_size=1."
        )
    return metadata


class Web(Format):
    """Folders with a page and the exported file that it runs.

    Args:
        files: the files of the runtime; they are needed only to write a page.

    Attributes:
        file: the format of the exported file.
        runtime: the runtime that runs it in a browser.
    """

    title = "web page"
    contents = CONTENTS
    file: ClassVar[Format]
    runtime: ClassVar[Runtime]

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.runtime_files = files

    def main_file(self, path: pathlib.Path) -> pathlib.Path:
        return path / self.runtime.model

    def write(self, network: keras.Model, options: ExportOptions, path: pathlib.Path) -> None:
        path.mkdir()
        self.file.write(network, options, self.main_file(path))

    def refine(
        self, path: pathlib.Path, options: ExportOptions, calibration: np.ndarray | None, expected: Reference
    ) -> dict[str, Any]:
        return self.file.refine(self.main_file(path), options, calibration, expected)

    def departure(
        self, network: keras.Model, path: pathlib.Path, options: ExportOptions, image: np.ndarray
    ) -> str | None:
        return self.file.departure(network, self.main_file(path), options, image)

    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        self.file.add_metadata(self.main_file(path), metadata)
        write_page(path, metadata, self.runtime, self.runtime_files)

    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        return self.file.read_metadata(self.main_file(path))

    def open(self, path: pathlib.Path, num_threads: int | None = None) -> Runner:
        return self.file.open(self.main_file(path), num_threads)

    def measure(self, path: pathlib.Path, runner: Runner) -> dict[str, Any]:
        return self.file.measure(self.main_file(path), runner)

    @staticmethod
    @abc.abstractmethod
    def output_shape(runner: Runner) -> tuple[int | str | None, ...]:
        """Returns the shape of the output of an open file."""


class WebTFLite(Web):
    """Pages for LiteRT.js."""

    name = "web"
    file = TFLITE
    runtime = LITERT
    options = TFLITE.options

    @staticmethod
    def output_shape(runner: Runner) -> tuple[int | str | None, ...]:
        return tuple(runner.output_details["shape"])


class WebOnnx(Web):
    """Pages for ONNX Runtime Web."""

    name = "web_onnx"
    file = ONNX
    runtime = ONNX_RUNTIME
    options = FixedOnnxOptions

    @staticmethod
    def output_shape(runner: Runner) -> tuple[int | str | None, ...]:
        return tuple(runner.session.get_outputs()[0].shape)


WEB_TFLITE, WEB_ONNX = WebTFLite(), WebOnnx()
PAGES = {"tflite": WEB_TFLITE, "onnx": WEB_ONNX}
