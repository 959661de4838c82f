"""Writes a network as a `.tflite` file, and compares it with Keras: the public function `export_tflite`."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_hrnet.export import flatbuffer
from keras_hrnet.export.comparison import Reference
from keras_hrnet.export.conversion import TFLiteOptions, convert
from keras_hrnet.export.delegates import delegate_coverage
from keras_hrnet.export.departure import first_departure
from keras_hrnet.export.format import Format
from keras_hrnet.export.litert import TFLiteModel, operators
from keras_hrnet.export.pipeline import export_network
from keras_hrnet.export.quantization import QUANTIZED, calibrate, quantizer_library
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.sensitivity import quantize_within_bound


def export_tflite(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    image_size: tuple[int, int],
    precision: str = "float32",
    output: str = "logits",
    input_dtype: str = "float32",
    representative_data: Any = None,
    batch_size: int = 1,
    class_names: Sequence[str] | None = None,
    sensitivity: bool = False,
) -> ExportReport:
    """Writes a network as a `.tflite` file, runs the file, and keeps it only if its outputs agree with Keras.

    The input of the file is images `(batch_size, height, width, 3)`, RGB in [0, 255], which it normalizes itself; it is
    channels last even if the model is channels first. Shapes are fixed and all operators are builtin, as phones and
    browsers require. The signature "serving_default" maps "image" to "logits", "labels" or "probabilities". Input and
    output have the same dtype at every precision; integers are used only internally. The file stores its classes, their
    colors and its origin (`read_metadata`). The report is written next to it, as `path` with ".json" appended.

    Precisions (examples/export.md compares them):

    * "float32": as trained.
    * "float16": weights in half precision; the delegate chooses the precision of the arithmetic (half on GPUs).
    * "dynamic": int8 weights, and activations that are quantized at run time. It needs no images.
    * "int8": int8 weights (per channel) and activations.
    * "int16x8": int8 weights and int16 activations, for DSPs. It is closest to Keras, but slow on CPUs, because no
      delegate supports it.
    * "mixed": convolutions in int8; attention, softmax and resizing in float32.

    An integer file that differs too much from Keras is exported again with its most sensitive layers in floating point.
    Under JAX and PyTorch, a separate TensorFlow process exports the weights, which takes a few seconds longer.

    Args:
        model: a functional network from RGB images to logits, of every pixel or of the image, in float32.
        path: file to write, ending in ".tflite". An existing file is replaced after the new one has been verified.
        image_size: (height, width) of the images in pixels.
        precision: precision of weights and arithmetic, as above.
        output: "logits" (float32, of the height and width of the image), "logits_stride4" (the logits before
            upsampling, which are 16 times fewer), "labels" (the class of the largest logit: uint8, or int32 if there
            are more than 255 classes) or "probabilities" (float32).
        input_dtype: dtype of the images: "float32" or "uint8".
        representative_data: images as in training, of `image_size`: an array `(num_images, height, width, 3)`, RGB in
            [0, 255], or an iterable of batches of images or of `(images, labels)`, for example a dataset of this
            package. The first four are used for the comparison, which includes the mean IoU if there are labels. None
            means noise and gradients. "int8", "int16x8" and "mixed" require images: of the first 64, without repeated
            ones, the last quarter, at least one and at most four, is used for the comparison, and the others for
            calibration.
        batch_size: number of images in a batch.
        class_names: names of the classes, by train id, for the file; None means those of the network
            (`model.class_names`).
        sensitivity: whether to measure the error of each layer when only it is quantized, for the report. This takes up
            to 40 runs.

    Returns:
        An `ExportReport`: size, differences from Keras, delegates, latency, operators; `print` shows it.

    Raises:
        FileNotFoundError: if the folder of `path` does not exist.
        ImportError: if the precision requires `litert-quantizer` (`pip install keras-hrnet[export]`) and it is
            missing.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if an option is invalid, the model does not match it, images have another size or other values, or
            fewer than two images for calibration are different and have more than one color.
        RuntimeError: if the file differs from Keras by more than its precision allows (float32: 0.5 % of the largest
            logit; integers: 10 % of the logits' standard deviation in the mean, "int16x8" 5 %), or the TensorFlow
            process fails. In that case, no file is kept.

    Example:

    ```python
    report = keras_hrnet.export_tflite(
        model, "w18.tflite", image_size=(512, 1024), precision="int8", representative_data=train
    )
    print(report)
    ```
    """
    options = TFLiteOptions(image_size, batch_size, input_dtype, precision, output, sensitivity)
    if precision in QUANTIZED:
        quantizer_library()  # Raises an ImportError early.
    return export_network(TFLITE, model, path, options, representative_data, class_names)


class TFLite(Format):
    """`.tflite` files."""

    name = "tflite"
    title = "TFLite"
    suffix = ".tflite"
    options = TFLiteOptions

    def write(self, network: keras.Model, options: TFLiteOptions, path: pathlib.Path) -> None:
        path.write_bytes(convert(network, options))

    def refine(
        self, path: pathlib.Path, options: TFLiteOptions, calibration: np.ndarray | None, expected: Reference
    ) -> dict[str, Any]:
        if options.precision not in QUANTIZED:
            return {}
        content = path.read_bytes()
        ranges = None if calibration is None else calibrate(content, calibration, options.batch_size)
        quantized, float_layers, sensitivity = quantize_within_bound(content, options, ranges, expected)
        path.write_bytes(quantized)
        return {"float_layers": float_layers, "sensitivity": sensitivity}

    def departure(
        self, network: keras.Model, path: pathlib.Path, options: TFLiteOptions, image: np.ndarray
    ) -> str | None:
        return first_departure(network, path.read_bytes(), image, options)

    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        path.write_bytes(flatbuffer.add_metadata(path.read_bytes(), metadata))

    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        return flatbuffer.find_metadata(path)

    def open(self, path: pathlib.Path, num_threads: int | None = None) -> TFLiteModel:
        return TFLiteModel(path, num_threads)

    def measure(self, path: pathlib.Path, runner: TFLiteModel) -> dict[str, Any]:
        return {
            "latency_seconds": runner.latency(),
            "operators": operators(path),
            "delegates": delegate_coverage(path),
        }


TFLITE = TFLite()
