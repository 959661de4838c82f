"""Writes a network as an ONNX file that ONNX Runtime runs: the public function `export_onnx`."""

import dataclasses
import json
import os
import pathlib
from typing import Any

import keras
import numpy as np

from keras_hrnet.export.format import Format
from keras_hrnet.export.function import answer_function
from keras_hrnet.export.metadata import damaged, parse
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.export.pipeline import export_network
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.runner import Runner, known_size
from keras_hrnet.export.tf2onnx_handlers import handlers, without_copies
from keras_hrnet.extras import require_packages

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
# At least 13, because Split has other arguments in older versions; at most the latest version that tf2onnx 1.17 writes.
OPSETS = range(13, 19)
METADATA = "keras_hrnet"


@dataclasses.dataclass(frozen=True)
class OnnxOptions(ExportOptions):
    """The options of an ONNX file.

    Args:
        image_size: as in `ExportOptions`.
        batch_size: as in `ExportOptions`.
        input_dtype: as in `ExportOptions`.
        opset: version of ONNX's operators.

    Raises:
        ValueError: if an option is invalid.
    """

    opset: int = 17

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.opset, int) or self.opset not in OPSETS:
            raise ValueError(
                f"Received opset={self.opset!r}. Expected a whole number from {OPSETS[0]} to {OPSETS[-1]}. Pass "
                "opset=17."
            )


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    image_size: tuple[int | None, int | None] | None = None,
    batch_size: int | None = None,
    input_dtype: str = "float32",
    opset: int = 17,
    representative_data: Any = None,
) -> ExportReport:
    """Writes a network as an ONNX file, runs it with ONNX Runtime, and keeps it only if its outputs agree with Keras.

    The input of the file is "images" `(batch, height, width, 3)`, RGB in [0, 255], and its output is "logits", float32,
    for every pixel or for the image; both are channels last even if the model is channels first. The network normalizes
    images itself. The file accepts any number of images of any size, unless the model or an argument fixes it; a fixed
    size runs somewhat faster, and some runtimes require it. Each upsampling of maps is one Resize operator.

    The classes, their colors and the origin of the file are stored in its property "keras_hrnet", as JSON
    (`read_metadata`). A report is written next to it as JSON: "w48.onnx.json" for "w48.onnx". Exporting requires `pip
    install "keras-hrnet[export]"`. Under JAX and PyTorch, a separate TensorFlow process exports the weights, which
    takes a few seconds longer.

    Args:
        model: a functional network from RGB images to logits, in float32.
        path: file to write, ending in ".onnx". An existing file is replaced after the new one has been verified.
        image_size: (height, width) of the images in pixels; None for what the model accepts.
        batch_size: number of images in a batch; None for any number.
        input_dtype: dtype of the images: "float32" or "uint8".
        opset: the version of ONNX's operators, 13 to 18.
        representative_data: images for the comparison: an array `(num_images, height, width, 3)` or an iterable of
            batches of images or of `(images, labels)`; the first four are used. None means noise and gradients, of two
            sizes if the size may vary.

    Returns:
        An `ExportReport`: size and differences from Keras; `print` shows it.

    Raises:
        ImportError: if onnx, onnxruntime or tf2onnx is not installed.
        FileNotFoundError: if the folder of `path` does not exist.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if an option is invalid, the model does not return logits or computes in half precision, or
            `image_size`, `batch_size` or the images do not match it.
        RuntimeError: if the file differs from Keras by more than 0.5 % of the largest logit, or the TensorFlow process
            fails. In that case, no file is kept.

    Example:

    ```python
    report = keras_hrnet.export_onnx(model, "w48.onnx", image_size=(512, 1024), batch_size=1)
    print(report)

    import onnxruntime

    session = onnxruntime.InferenceSession("w48.onnx")
    (logits,) = session.run(["logits"], {"images": image[None].astype("float32")})
    ```
    """
    options = OnnxOptions(image_size, batch_size, input_dtype, opset)
    require_packages(PACKAGES, "an ONNX file", extra="export")
    return export_network(ONNX, model, path, options, representative_data)


class Onnx(Format):
    """`.onnx` files."""

    name = "onnx"
    title = "ONNX"
    suffix = ".onnx"
    options = OnnxOptions

    def write(self, network: keras.Model, options: OnnxOptions, path: pathlib.Path) -> None:
        import onnx
        import tf2onnx

        answer = answer_function(network, options, freezes=True).get_concrete_function()
        (images,), (name,) = answer.inputs, answer.structured_outputs
        tensors = {images.name: options.input_name, answer.outputs[0].name: name}
        # `from_function` freezes variables, which copies the graph with all weights several times.
        with without_copies():
            made, _ = tf2onnx.convert.from_graph_def(
                answer.graph.as_graph_def(add_shapes=True),
                input_names=[images.name],
                output_names=[answer.outputs[0].name],
                opset=options.opset,
                custom_op_handlers=handlers(),
                tensors_to_rename=tensors,
            )
        _name_axes(made.graph.input[0], ("batch", "height", "width"))
        _name_axes(made.graph.output[0], ("batch", "logits_height", "logits_width"))
        onnx.checker.check_model(made)
        onnx.save(made, str(path))

    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        import onnx

        made = onnx.load(str(path))
        onnx.helper.set_model_props(made, {METADATA: json.dumps(metadata)})
        onnx.save(made, str(path))

    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        import onnx
        from google.protobuf.message import DecodeError

        try:
            entries = onnx.load(str(path), load_external_data=False).metadata_props
        except DecodeError as error:
            raise damaged(path, error) from error
        found = {entry.key: entry.value for entry in entries}
        text = found.get(METADATA)
        # Values that are not UTF-8 are returned as bytes.
        return None if text is None else parse(text if isinstance(text, bytes) else text.encode(), path)

    def open(self, path: pathlib.Path, num_threads: int | None = None) -> Runner:
        return OnnxRunner(path, num_threads)

    def report_title(self, options: OnnxOptions) -> str:
        return f"ONNX, opset {options.opset}"


class OnnxRunner(Runner):
    """An ONNX file in ONNX Runtime, on the CPU.

    Args:
        path: the file.
        num_threads: number of threads; None uses all cores.
    """

    def __init__(self, path: pathlib.Path, num_threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads or os.cpu_count()
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (self.input,) = self.session.get_inputs()
        self.dtype = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}[self.input.type]
        batch, *size, self.channels = self.input.shape
        self.batch_size = batch if isinstance(batch, int) else None
        self.image_size = known_size(size)

    def run(self, images: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.input.name: images})[0]


ONNX = Onnx()


def _name_axes(value, names):
    # A classifier has no height and width.
    for axis, name in zip(value.type.tensor_type.shape.dim[:-1], names, strict=False):
        if not axis.HasField("dim_value"):
            axis.dim_param = name
