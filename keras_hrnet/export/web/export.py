"""Writes a network as a web page that segments photos: the public function `export_web`."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_hrnet.export.comparison import Reference
from keras_hrnet.export.format import Format
from keras_hrnet.export.litert import TFLiteModel
from keras_hrnet.export.pipeline import checked_path, export_network
from keras_hrnet.export.quantization import QUANTIZED, quantizer_library
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.tflite import TFLITE
from keras_hrnet.export.web.options import CHANNELS, WebOptions
from keras_hrnet.export.web.pages import CONTENTS, MODEL, write_page
from keras_hrnet.export.web.runtime import find_runtime
from keras_hrnet.replacing import put_in_place, unfinished_folder


def export_web(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    image_size: tuple[int, int],
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

    The folder contains the network as the `.tflite` file that `export_tflite` writes, verified in the same way.
    LiteRT.js runs it on the processor (WebAssembly), or on the graphics processor (WebGPU) if the user chooses that.
    npm downloads the packages of LiteRT.js once, in a pinned version, into the cache (`keras_hrnet/litertjs` in
    `$KERAS_HOME`, or in `~/.keras`), and their SHA-512 is verified.

    The page can use several threads only if the server isolates it, as `keras-hrnet serve` does; otherwise it uses one.

    Args:
        model: a functional network from RGB or gray images to logits of every pixel, in float32.
        path: the folder to create. An existing page, or an empty folder, is replaced after the new one has been
            verified; any other folder or file is not replaced.
        image_size: (height, width) in pixels to which photos are resized.
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
        FileNotFoundError: if the parent folder of `path` is missing, or an archive of LiteRT.js is missing and npm
            cannot download it. The message states which files to put where.
        FileExistsError: if `path` is something other than a page.
        ImportError, TypeError, RuntimeError: as `export_tflite`.
        ValueError: as `export_tflite`, or if the model does not segment photos, or an archive is not the pinned one.

    Example:

    ```python
    keras_hrnet.export_web(model, "web", image_size=(512, 1024), precision="int8", representative_data=train)
    ```
    """
    options = WebOptions(image_size, 1, input_dtype, precision, output, sensitivity)
    if precision in QUANTIZED:
        quantizer_library()  # Raises an ImportError early.
    options.for_model(model)
    checked_path(WEB, path)
    return export_network(Web(find_runtime(runtime)), model, path, options, representative_data, class_names)


def write_web_page(
    file: str | os.PathLike, path: str | os.PathLike, *, runtime: str | os.PathLike | None = None
) -> pathlib.Path:
    """Writes the page of `export_web` for a `.tflite` file that `export_tflite` wrote.

    Args:
        file: the `.tflite` file, for batches of one image.
        path: the folder to create, as in `export_web`.
        runtime: as there.

    Returns:
        The path of the folder.

    Raises:
        FileNotFoundError, FileExistsError: as `export_web`.
        ValueError: if the file was not exported by this package, or does not segment single photos.
    """
    file, path = pathlib.Path(file), checked_path(WEB, path)
    metadata = _metadata_for_page(file)
    files = find_runtime(runtime)
    with unfinished_folder(path) as folder:
        written = folder / path.name
        written.mkdir()
        (written / MODEL).write_bytes(file.read_bytes())
        write_page(written, metadata, files)
        put_in_place(written, path)
    return path


def _metadata_for_page(file):
    metadata = TFLITE.read_metadata(file) if TFLITE.is_at(file) else None
    if metadata is None:
        raise (ValueError if file.exists() else FileNotFoundError)(
            f"Received the file {str(file)!r}. Expected a .tflite file that keras_hrnet exported. Export the network "
            "again."
        )
    runner = TFLITE.open(file, 1)
    output = tuple(runner.output_details["shape"])
    is_dense = len(output) == (3 if metadata["output"]["kind"] == "labels" else 4)
    if runner.batch_size != 1 or runner.channels not in CHANNELS or "mean" in metadata["input"] or not is_dense:
        raise ValueError(
            f"Received the file {str(file)!r}, which maps images of shape {tuple(metadata['input']['shape'])} to an "
            f"output of shape {output}. Expected one image of RGB or gray pixels in [0, 255], and an output for each "
            "pixel. Export the network for it, with batch_size=1."
        )
    return metadata


class Web(Format):
    """Folders with a page and the `.tflite` file that it runs.

    Args:
        runtime: the files of LiteRT.js; they are needed only to write a page.
    """

    name = "web"
    title = "web page"
    contents = CONTENTS
    options = WebOptions

    def __init__(self, runtime: Mapping[str, bytes] | None = None) -> None:
        self.runtime = runtime

    def write(self, network: keras.Model, options: WebOptions, path: pathlib.Path) -> None:
        path.mkdir()
        TFLITE.write(network, options, path / MODEL)

    def refine(
        self, path: pathlib.Path, options: WebOptions, calibration: np.ndarray | None, expected: Reference
    ) -> dict[str, Any]:
        return TFLITE.refine(path / MODEL, options, calibration, expected)

    def departure(self, network: keras.Model, path: pathlib.Path, options: WebOptions, image: np.ndarray) -> str | None:
        return TFLITE.departure(network, path / MODEL, options, image)

    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        TFLITE.add_metadata(path / MODEL, metadata)
        write_page(path, metadata, self.runtime)

    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        return TFLITE.read_metadata(path / MODEL)

    def open(self, path: pathlib.Path, num_threads: int | None = None) -> TFLiteModel:
        return TFLITE.open(path / MODEL, num_threads)

    def measure(self, path: pathlib.Path, runner: TFLiteModel) -> dict[str, Any]:
        return TFLITE.measure(path / MODEL, runner)


WEB = Web()
