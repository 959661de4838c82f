"""The options of the file of a page, and the check that a page can show what its network returns."""

import dataclasses
from typing import Any, ClassVar

import keras

from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.onnx import PACKAGES, OnnxOptions
from keras_hrnet.export.options import ExportOptions, check_choice
from keras_hrnet.export.quantization import QUANTIZED, quantizer_library
from keras_hrnet.extras import require_packages

CHANNELS = (1, 3)
FILE_FORMATS = ("tflite", "onnx")
# ONNX files are written in no other way.
ONNX_ONLY = {"precision": "float32", "output": "logits", "sensitivity": False}


@dataclasses.dataclass(frozen=True)
class FixedOnnxOptions(OnnxOptions):
    """The options of the ONNX file of a page, which is for single images of one size; see `OnnxOptions`."""

    has_fixed_shape: ClassVar[bool] = True


def page_options(
    file_format: str, image_size: tuple[int, int], input_dtype: str, **options: Any
) -> TFLiteOptions | FixedOnnxOptions:
    """Returns the options of the file of a page.

    Args:
        file_format: "tflite" or "onnx".
        image_size: (height, width) of the images in pixels.
        input_dtype: dtype of the images.
        **options: the precision, the output, and the sensitivity, as in `TFLiteOptions`.

    Raises:
        ImportError: if a package that the file requires is missing.
        ValueError: if an option is invalid, or does not apply to the format.
    """
    check_choice("file_format", file_format, FILE_FORMATS)
    if file_format == "tflite":
        found = TFLiteOptions(image_size, 1, input_dtype, **options)
        if found.precision in QUANTIZED:
            quantizer_library()  # Raises an ImportError early.
        return found
    for name, expected in ONNX_ONLY.items():
        if options[name] != expected:
            raise ValueError(
                f"Received {name}={options[name]!r} with file_format='onnx'. Expected {expected!r}, because an ONNX "
                f"file computes in float32 and returns logits. Leave {name} out, or pass file_format='tflite'."
            )
    found = FixedOnnxOptions(image_size, 1, input_dtype)
    require_packages(PACKAGES, "an ONNX file", extra="export")
    return found


def check_shown(model: keras.Model, options: ExportOptions) -> None:
    """Checks that a network segments photos.

    Args:
        model: the network.
        options: the options that `ExportOptions.for_model` returned for it.

    Raises:
        ValueError: if its input is not RGB or grayscale pixels, or it classifies whole images.
    """
    if len(model.outputs[0].shape) != 4:
        raise ValueError(
            f"Received the model {model.name!r}, which classifies whole images. Expected a network with an output "
            "for each pixel, which a page can show. Export it with export_tflite instead."
        )
    if options.channels not in CHANNELS or not options.takes_pixels:
        unit = "" if options.takes_pixels else ", in another unit than pixels"
        raise ValueError(
            f"Received the model {model.name!r}, whose input is images of {options.channels} channels{unit}. "
            "Expected RGB or grayscale pixels in [0, 255], as a browser reads them from photos. Export it with "
            "export_tflite instead."
        )
