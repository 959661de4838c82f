"""Writes a network as a `.tflite` file that was run and compared with Keras: the public function `export_tflite`."""

import os
import pathlib
import tempfile

import keras

from keras_hrnet.export.conversion import convert
from keras_hrnet.export.litert import TFLiteModel, operators
from keras_hrnet.export.options import TFLiteOptions, logits_model
from keras_hrnet.export.process import convert_in_process
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.verification import compare, reference


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
):
    """Writes a network as a `.tflite` file, runs the file, and keeps it only if it answers as Keras does.

    The file takes images `(batch_size, height, width, 3)`, RGB in [0, 255], also from a model that is channels first;
    normalisation is inside. Its shapes are fixed and its operators builtin ones, as phones and browsers want them.
    Its signature "serving_default" goes from "image" to "logits", "labels" or "probabilities".

    Under JAX and torch the weights go through a TensorFlow process, which takes some seconds more.

    Args:
        model: a functional network from RGB images to logits, of every pixel or of the image, in float32.
        path: where to write; ends in ".tflite". A file that is there is replaced, once the new one is verified.
        image_size: (height, width) of the images in pixels.
        precision: of weights and arithmetic: "float32".
        output: "logits" (float32, of the height and width of the image), "logits_stride4" (before they are enlarged:
            16 times fewer), "labels" (the class of the largest logit: uint8, or int32 if there are more than 255
            classes) or "probabilities" (float32).
        input_dtype: of the images: "float32" or "uint8".
        representative_data: images to compare on, of `image_size`: an array `(num_images, height, width, 3)` or an
            iterable of batches of images or of `(images, labels)`; the first four are taken. None means noise and
            gradients.
        batch_size: how many images go in at once.

    Returns:
        An `ExportReport`: size, differences from Keras, latency, operators; `print` shows it.

    Raises:
        FileNotFoundError: if the folder of `path` does not exist.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if an option is none of the above, the model does not go with it, or images have another size.
        RuntimeError: if the file differs from Keras by more than 0.5 % of the largest logit, or the TensorFlow
            process fails. No file is left then.

    Example:

    ```python
    report = keras_hrnet.export_tflite(model, "w18.tflite", image_size=(512, 1024), output="labels")
    print(report)
    ```
    """
    options = TFLiteOptions(image_size, precision, output, input_dtype, batch_size)
    path = _checked_path(path)
    logits_model(model, options)  # Raises here what would be raised later.
    expected = reference(model, options, representative_data)
    # Beside the path, as a file can be moved at once only within its file system.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        written = pathlib.Path(folder) / path.name
        written.write_bytes(_convert(model, options, folder))
        runner = TFLiteModel(written)
        comparison = compare(runner(expected.images), expected, options)
        report = ExportReport(
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
        )
        os.replace(written, path)
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


def _convert(model, options, folder):
    if keras.config.backend() == "tensorflow":
        return convert(model, options)
    return convert_in_process(model, options, folder)
