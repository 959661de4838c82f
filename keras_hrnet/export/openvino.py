"""Writes a network as an OpenVINO file, for the processors of servers: the public function `export_openvino`."""

import contextlib
import dataclasses
import json
import os
import pathlib
import sys
import tempfile
from typing import Any

import keras
import numpy as np

from keras_hrnet.export.comparison import Reference
from keras_hrnet.export.format import Format
from keras_hrnet.export.metadata import damaged, parse
from keras_hrnet.export.options import ExportOptions, check_choice
from keras_hrnet.export.pipeline import export_network
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.runner import Runner, known_size
from keras_hrnet.export.saved_model import SAVED_MODEL
from keras_hrnet.extras import require_packages

PRECISIONS = ("float32", "float16", "bfloat16", "int8")
METADATA = "keras_hrnet"
# For each image, the network is run and all its maps are kept.
NUM_CALIBRATION_IMAGES = 64


@dataclasses.dataclass(frozen=True)
class OpenvinoOptions(ExportOptions):
    """The options of an OpenVINO file.

    Args:
        image_size: as in `ExportOptions`.
        batch_size: as in `ExportOptions`.
        input_dtype: as in `ExportOptions`.
        precision: "float32", "float16", "bfloat16" or "int8"; see `export_openvino`.

    Raises:
        ValueError: if an option is invalid.
    """

    precision: str = "float32"

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)
        super().__post_init__()

    @property
    def is_calibrated(self) -> bool:
        """Whether the precision is calibrated with images."""
        return self.precision == "int8"

    @property
    def num_images(self) -> int:
        """The maximum number of images that are taken from a data set."""
        return NUM_CALIBRATION_IMAGES if self.is_calibrated else super().num_images


def export_openvino(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    image_size: tuple[int | None, int | None] | None = None,
    batch_size: int | None = None,
    input_dtype: str = "float32",
    precision: str = "float32",
    representative_data: Any = None,
) -> ExportReport:
    """Writes a network as an OpenVINO file, runs it, and keeps it only if its outputs agree with Keras.

    OpenVINO runs networks on Intel's and AMD's processors, and on Intel's GPUs and NPUs. Its input is "images" `(batch,
    height, width, 3)`, RGB in [0, 255], and its output is "logits", float32, for every pixel or for the image; both are
    channels last even if the model is channels first. The network normalizes images itself. It accepts any number of
    images of any size, unless the model or an argument fixes it. It consists of two files: "w48.xml" with the
    operators, and "w48.bin" with the weights.

    Precisions:

    * "float32": as trained. On processors with bfloat16, OpenVINO computes in bfloat16 by default; to avoid this, pass
      `{"INFERENCE_PRECISION_HINT": "f32"}` to `compile_model`.
    * "float16": weights in half precision, which halves the size; a CPU computes in float32.
    * "bfloat16": the same file as "float32", verified with `{"INFERENCE_PRECISION_HINT": "bf16"}`. Processors with
      AVX512-BF16 or AMX compute in bfloat16.
    * "int8": int8 weights (per channel) and activations, quantized by NNCF.

    The classes, their colors and the origin of the file are stored in its runtime information "keras_hrnet", as JSON
    (`read_metadata`). A report is written next to it as JSON: "w48.xml.json" for "w48.xml". Exporting requires `pip
    install "keras-hrnet[openvino]"`. Under JAX and PyTorch, a separate TensorFlow process exports the weights, which
    takes a few seconds longer.

    Args:
        model: a functional network from RGB images to logits, in float32.
        path: file to write, ending in ".xml". Existing files are replaced after the new ones have been verified.
        image_size: (height, width) of the images in pixels; None for what the model accepts.
        batch_size: the number of images in a batch; None for any number.
        input_dtype: dtype of the images: "float32" or "uint8".
        precision: precision of weights and arithmetic, as above.
        representative_data: images as in training: an array `(num_images, height, width, 3)` or an iterable of batches
            of images or of `(images, labels)`. The first four are used for the comparison. None means noise and
            gradients, of two sizes if the size may vary. "int8" requires images: of the first 64, without repeated
            ones, the last quarter, at least one and at most four, is used for the comparison, and the others for
            calibration.

    Returns:
        An `ExportReport`: size and differences from Keras; `print` shows it.

    Raises:
        ImportError: if openvino, or nncf for "int8", is not installed.
        FileNotFoundError: if the folder of `path` does not exist.
        FileExistsError: if the weights would overwrite a ".bin" file that belongs to no ".xml" file.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if an option is invalid, the model does not return logits or computes in half precision, the images
            do not fit, or this processor cannot verify "bfloat16".
        RuntimeError: if the file differs from Keras by more than its precision allows (float32: 0.5 % of the largest
            logit; "bfloat16" and "int8": 10 % of the logits' standard deviation in the mean), or the TensorFlow process
            fails. In that case, no file is kept.

    Example:

    ```python
    report = keras_hrnet.export_openvino(model, "w48.xml", precision="int8", representative_data=train)
    print(report)

    import openvino

    network = openvino.Core().compile_model("w48.xml", "CPU")
    logits = network({"images": image[None].astype("float32")})["logits"]
    ```
    """
    options = OpenvinoOptions(image_size, batch_size, input_dtype, precision)
    packages = ("openvino", "nncf") if options.is_calibrated else ("openvino",)
    require_packages(packages, "an OpenVINO file", extra="openvino")
    _check_processor(options)
    path = pathlib.Path(path)
    if weights_path(path).exists() and not path.exists():
        raise FileExistsError(
            f"Received the path {str(path)!r}, where {weights_path(path).name!r} already exists and is not part of "
            "an OpenVINO file. Expected an unused name for the weights. Pass another name, or remove it."
        )
    return export_network(OPENVINO, model, path, options, representative_data)


class Openvino(Format):
    """`.xml` files with their weights next to them."""

    name = "openvino"
    title = "OpenVINO"
    suffix = ".xml"
    options = OpenvinoOptions

    def files(self, path: pathlib.Path) -> list[pathlib.Path]:
        return [path, weights_path(path)]

    def write(self, network: keras.Model, options: OpenvinoOptions, path: pathlib.Path) -> None:
        openvino = _openvino()

        # OpenVINO reads a SavedModel directly, so that no other converter is needed.
        with tempfile.TemporaryDirectory(prefix=".saved-model-", dir=path.parent) as folder:
            SAVED_MODEL.write(network, options, pathlib.Path(folder))
            _save(openvino.Core().read_model(folder), path, options.precision)

    def refine(
        self, path: pathlib.Path, options: OpenvinoOptions, calibration: np.ndarray | None, expected: Reference
    ) -> dict[str, Any]:
        if calibration is not None:
            _save(_quantized(_read(path), calibration, options), path, options.precision)
        return {}

    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        network = _read(path)
        network.set_rt_info(json.dumps(metadata), METADATA)
        _save(network, path, metadata["precision"])

    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        network = _read(path)
        if not network.has_rt_info(METADATA):
            return None
        try:
            text = network.get_rt_info(METADATA).astype(str)
        except RuntimeError as error:  # The information is not text.
            raise damaged(path, error) from error
        return parse(text.encode(), path)

    def open(self, path: pathlib.Path, num_threads: int | None = None) -> Runner:
        return OpenvinoRunner(path, num_threads)


class OpenvinoRunner(Runner):
    """An OpenVINO file on the CPU.

    Args:
        path: the `.xml` file.
        num_threads: number of threads; None uses all cores.
        is_bfloat16: whether it computes in bfloat16; None means the precision of the export.
    """

    def __init__(self, path: pathlib.Path, num_threads: int | None = None, is_bfloat16: bool | None = None) -> None:
        openvino = _openvino()

        if is_bfloat16 is None:
            metadata = OPENVINO.read_metadata(path)
            is_bfloat16 = metadata is not None and metadata.get("precision") == "bfloat16"
        settings = {"INFERENCE_PRECISION_HINT": "bf16" if is_bfloat16 else "f32"}
        settings["INFERENCE_NUM_THREADS"] = num_threads or os.cpu_count()
        self.compiled = openvino.Core().compile_model(_read(path), "CPU", settings)
        (given,) = self.compiled.inputs
        self.dtype = np.dtype(given.element_type.to_dtype()).name
        lengths = [length.get_length() if length.is_static else None for length in given.partial_shape]
        self.batch_size, *size, self.channels = lengths
        self.image_size = known_size(size)

    def run(self, images: np.ndarray) -> np.ndarray:
        return self.compiled({0: images})[0]


OPENVINO = Openvino()


def weights_path(path: pathlib.Path) -> pathlib.Path:
    """Returns the path of the weights of an `.xml` file."""
    return path.with_suffix(".bin")


@contextlib.contextmanager
def _without_statistics():
    """Hides openvino_telemetry, with which OpenVINO and NNCF send usage statistics when they are imported."""
    name = "openvino_telemetry"
    before = {name: sys.modules[name]} if name in sys.modules else {}
    sys.modules[name] = None
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(before)


def _openvino():
    with _without_statistics():
        import openvino
    return openvino


def _read(path):
    """Reads a file completely into memory, because a mapped file cannot be replaced."""
    openvino = _openvino()

    weights = weights_path(path)
    if not weights.is_file():
        raise FileNotFoundError(
            f"Received the OpenVINO file {str(path)!r} without {weights.name!r} next to it. Expected its weights "
            "there. Copy both files."
        )
    core = openvino.Core()
    core.set_property({"ENABLE_MMAP": False})
    try:
        return core.read_model(path, weights)
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise ValueError(
            f"Received {str(path)!r}, which OpenVINO cannot read: {last} Expected an OpenVINO network with its "
            f"weights in {weights.name!r}. Export the network again."
        ) from error


def _save(network, path, precision):
    openvino = _openvino()

    openvino.save_model(network, path, compress_to_fp16=precision == "float16")


def _quantized(network, images, options):
    with _without_statistics():
        import nncf

    nncf.set_log_level("ERROR")
    step = options.batch_size or 1
    batches = [
        np.take(images, range(i, i + step), axis=0, mode="wrap").astype(options.input_dtype)
        for i in range(0, len(images), step)
    ]
    # MIXED lets the ranges of activations be asymmetric.
    preset = nncf.QuantizationPreset.MIXED
    return nncf.quantize(network, nncf.Dataset(batches), preset=preset, subset_size=len(batches))


def _check_processor(options):
    if options.precision == "bfloat16":
        openvino = _openvino()

        capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if "BF16" not in capabilities:
            raise ValueError(
                "Received precision='bfloat16' on a processor without bfloat16. Expected AVX512-BF16 or AMX, "
                "because the file is run and verified on this machine. Export it on such a processor, or pass "
                "precision='float32'."
            )
