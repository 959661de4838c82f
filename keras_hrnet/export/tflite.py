"""Writes a network as a `.tflite` file that was run and compared with Keras: the public function `export_tflite`."""

import json
import os
import pathlib
import tempfile

import keras

from keras_hrnet.export.conversion import convert
from keras_hrnet.export.delegates import delegate_coverage
from keras_hrnet.export.departure import first_departure
from keras_hrnet.export.litert import TFLiteModel, operators
from keras_hrnet.export.metadata import add_metadata, describe
from keras_hrnet.export.options import TFLiteOptions, logits_model
from keras_hrnet.export.process import convert_in_process
from keras_hrnet.export.quantization import CALIBRATED, QUANTIZED, calibrate, check_quantizer
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.representative import (
    NUM_CALIBRATION_IMAGES,
    NUM_VERIFICATION_IMAGES,
    read_representative,
)
from keras_hrnet.export.sensitivity import Quantized, quantize_within_bound
from keras_hrnet.export.verification import check, compare, reference
from keras_hrnet.models import optimize_for_inference


def export_tflite(
    model,
    path,
    *,
    image_size,
    precision="float32",
    output="logits",
    input_dtype="float32",
    representative_data=None,
    batch_size=1,
    class_names=None,
    sensitivity=False,
):
    """Writes a network as a `.tflite` file, runs the file, and keeps it only if it answers as Keras does.

    The file takes images `(batch_size, height, width, 3)`, RGB in [0, 255], also from a model that is channels first;
    normalisation is inside. Its shapes are fixed and its operators builtin ones, as phones and browsers want them.
    Its signature "serving_default" goes from "image" to "logits", "labels" or "probabilities". What comes in and goes
    out has the same dtype whatever the precision: integers stay inside. The file carries its classes, their colours
    and where it came from (`read_metadata`); the report is kept beside it, as `path` with ".json" appended.

    Precisions (what they cost: examples/export.md):

    * "float32": as trained.
    * "float16": weights in half precision, arithmetic as the delegate likes it (GPUs: half).
    * "dynamic": int8 weights, activations quantized as they come. Needs no images.
    * "int8": int8 weights (per channel) and activations.
    * "int16x8": int8 weights, int16 activations, for DSPs: closest to Keras, and slow here, as no delegate takes it.
    * "mixed": int8 convolutions; attention, softmax and resizing in float32.

    A file of integers that is too far from Keras is made again with its most sensitive layers in floats.
    Under JAX and torch the weights go through a TensorFlow process, which takes some seconds more.

    Args:
        model: a functional network from RGB images to logits, of every pixel or of the image, in float32.
        path: where to write; ends in ".tflite". A file that is there is replaced, once the new one is verified.
        image_size: (height, width) of the images in pixels.
        precision: of weights and arithmetic, as above.
        output: "logits" (float32, of the height and width of the image), "logits_stride4" (before they are enlarged:
            16 times fewer), "labels" (the class of the largest logit: uint8, or int32 if there are more than 255
            classes) or "probabilities" (float32).
        input_dtype: of the images: "float32" or "uint8".
        representative_data: images as in training, of `image_size`: an array `(num_images, height, width, 3)`, RGB in
            [0, 255], or an iterable of batches of images or of `(images, labels)`, for example a dataset of this
            package. The first four are compared, with their labels by mean IoU too; "int8", "int16x8" and "mixed"
            take the ranges of values from the first 64 and cannot do without. None means noise and gradients.
        batch_size: how many images go in at once.
        class_names: names of the classes, by train id, for the file; None means Cityscapes' for 19 classes, else
            "class 0", "class 1", ….
        sensitivity: whether to measure what each layer loses when it alone is in integers, for the report. Takes up
            to 40 runs.

    Returns:
        An `ExportReport`: size, differences from Keras, delegates, latency, operators; `print` shows it.

    Raises:
        FileNotFoundError: if the folder of `path` does not exist.
        ImportError: if the precision needs `ai-edge-quantizer` (`pip install keras-hrnet[export]`) and it is missing.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if an option is none of the above, the model does not go with it, or images have another size or
            other values.
        RuntimeError: if the file differs from Keras by more than its precision may (float32: 0.5 % of the largest
            logit; integers: 10 % of the logits' standard deviation in the mean, "int16x8" 5 %), or the TensorFlow
            process fails. No file is left then.

    Example:

    ```python
    report = keras_hrnet.export_tflite(
        model, "w18.tflite", image_size=(512, 1024), precision="int8", representative_data=train
    )
    print(report)
    ```
    """
    options = TFLiteOptions(image_size, precision, output, input_dtype, batch_size)
    path = _checked_path(path)
    logits_model(model, options)  # Raises here what would be raised later.
    representative = _representative(options, representative_data)
    expected = reference(model, options, representative.first(NUM_VERIFICATION_IMAGES))
    metadata = describe(model, options, expected.logits.shape[-1], class_names)
    network = optimize_for_inference(model)
    # Beside the path, as a file can be moved at once only within its file system.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        made = _make(network, options, folder, representative, expected, sensitivity)
        check(made.comparison, options, lambda: first_departure(network, made.content, expected.images[0], options))
        written, told = pathlib.Path(folder) / path.name, pathlib.Path(folder) / f"{path.name}.json"
        written.write_bytes(add_metadata(made.content, metadata))
        report = _report(path, written, options, made, expected)
        told.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
        os.replace(written, path)
        os.replace(told, path.with_name(told.name))
    return report


def _checked_path(path):
    path = pathlib.Path(path)
    if path.suffix != ".tflite":
        raise ValueError(
            f"Received the path {str(path)!r}. Expected a name that ends in '.tflite'. Pass "
            f"{str(path.with_suffix('.tflite'))!r}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Received the path {str(path)!r}. Expected a folder {str(path.parent)!r} to write into. Make it first."
        )
    return path


def _representative(options, data):
    if options.precision in QUANTIZED:
        check_quantizer()
    if options.precision not in CALIBRATED:
        return read_representative(options, data)
    if data is None:
        raise ValueError(
            f"Received precision={options.precision!r} without representative_data. Expected images, of which the "
            "ranges of its integers are taken. Pass the training dataset, or precision='dynamic', which needs none."
        )
    return read_representative(options, data, NUM_CALIBRATION_IMAGES)


def _make(model, options, folder, representative, expected, sensitivity):
    """Makes the file, without metadata, and compares it: a `Quantized`."""
    content = _convert(model, options, folder)
    if options.precision not in QUANTIZED:
        return Quantized(content, compare(TFLiteModel(content)(expected.images), expected, options))
    ranges = None
    if options.precision in CALIBRATED:
        ranges = calibrate(content, representative.images, options.batch_size)
    return quantize_within_bound(content, options, ranges, expected, with_sensitivity=sensitivity)


def _convert(model, options, folder):
    if keras.config.backend() == "tensorflow":
        return convert(model, options)
    return convert_in_process(model, options, folder)


def _report(path, written, options, made, expected):
    runner = TFLiteModel(written)
    # The file as it is on disk: what was compared came from memory.
    comparison = compare(runner(expected.images), expected, options)
    check(comparison, options)
    return ExportReport(
        path=path,
        size_bytes=written.stat().st_size,
        image_size=options.image_size,
        batch_size=options.batch_size,
        input_dtype=options.input_dtype,
        precision=options.precision,
        output=options.output,
        largest_difference=comparison.largest_difference,
        mean_difference=comparison.mean_difference,
        label_agreement=comparison.label_agreement,
        latency_seconds=runner.latency(),
        operators=operators(written),
        delegates=delegate_coverage(written),
        keras_miou=comparison.keras_miou,
        miou=comparison.miou,
        float_layers=made.float_layers,
        sensitivity=made.sensitivity,
    )
