"""Converts a Keras network on the TensorFlow backend to the bytes of a `.tflite` file."""

import dataclasses
from typing import ClassVar

import keras

from keras_hrnet.export.flatbuffer import add_signature
from keras_hrnet.export.function import answer_function
from keras_hrnet.export.options import ExportOptions, check_choice
from keras_hrnet.export.quantization import CALIBRATED
from keras_hrnet.models.interface import data_format, num_channels

SIGNATURE = "serving_default"
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8", "mixed")
OUTPUTS = ("logits", "logits_stride4", "labels", "probabilities")
# For each image, the float file is run and all its tensors are kept, which takes 0.2 s for HRNetW18Small at 256x512.
NUM_CALIBRATION_IMAGES = 64


@dataclasses.dataclass(frozen=True)
class TFLiteOptions(ExportOptions):
    """The options of a `.tflite` file.

    Args:
        image_size: (height, width) of the images, fixed.
        batch_size: number of images in a batch, fixed.
        input_dtype: "float32" or "uint8".
        precision: "float32", "float16", "dynamic", "int8", "int16x8" or "mixed"; see `export_tflite`.
        output: "logits", "logits_stride4", "labels" or "probabilities".
        sensitivity: whether to measure the error of each layer when only it is quantized.

    Raises:
        ValueError: if an option is invalid.
    """

    batch_size: int = 1
    input_dtype: str = "float32"
    precision: str = "float32"
    output: str = "logits"
    sensitivity: bool = False

    has_fixed_shape: ClassVar[bool] = True
    uncalibrated: ClassVar[str] = "dynamic"
    closer: ClassVar[str] = "'mixed', then 'float16', is"
    input_name: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("output", self.output, OUTPUTS)
        super().__post_init__()

    @property
    def is_calibrated(self) -> bool:
        """Whether the precision is calibrated with images."""
        return self.precision in CALIBRATED

    @property
    def num_images(self) -> int:
        """The maximum number of images that are taken from a data set."""
        return NUM_CALIBRATION_IMAGES if self.is_calibrated else super().num_images

    def logits_model(self, model: keras.Model) -> tuple[keras.Model, int]:
        """Returns the network, or its part before the layer "logits", which upsamples, and the axis of the classes.

        Raises:
            ValueError: if it returns logits of another size than the options require.
        """
        whole, axis = super().logits_model(model)
        stride = self._stride(model)
        if self.output != "logits_stride4":
            if stride in (1, None):
                return whole, axis
            raise ValueError(
                f"Received output={self.output!r} for the model {model.name!r}, which returns logits at stride "
                f"{stride}. Expected logits at the size of the image. Build it with output_stride=1, or pass "
                "output='logits_stride4'."
            )
        if stride == 4:
            return whole, axis
        if stride is None or "logits" not in {layer.name for layer in model.layers}:
            raise ValueError(
                f"Received output='logits_stride4' for the model {model.name!r}, which has no layer 'logits' that "
                "upsamples them from stride 4. Expected a segmentation network of this package. Pass "
                "output='logits'."
            )
        layer = model.get_layer("logits")
        before = layer.input[0] if isinstance(layer.input, list | tuple) else layer.input
        # The networks of this package are channels last internally, whatever their input.
        axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
        return keras.Model(model.inputs[0], before), axis

    def _stride(self, model):
        channels_last = data_format(model) == "channels_last"
        size, channels = self.image_size, num_channels(model)
        shape = (1, *size, channels) if channels_last else (1, channels, *size)
        output_shape = tuple(model.compute_output_shape(shape))
        if len(output_shape) == 2:
            return None
        height = output_shape[1] if channels_last else output_shape[2]
        return -(-self.image_size[0] // height)


def convert(network: keras.Model, options: TFLiteOptions) -> bytes:
    """Converts a network to a `.tflite` file of builtin operators with fixed shapes and one signature.

    Weights are float16 if that is the precision, and float32 otherwise; `quantize` introduces integers later.

    The graph is passed to the converter directly. Through a SavedModel, which is the default, HRNetW48 took 64 s and 11
    GB instead of 40 s and 6 GB (timed once, 512x1024, two CPU cores). This only loses the names of the signature, which
    are added again.

    Raises:
        ValueError: if the network does not match the options.
    """
    import tensorflow as tf

    answer = answer_function(network, options).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([answer], tf.Module())
    converter.experimental_lower_to_saved_model = False
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if options.precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return add_signature(converter.convert(), SIGNATURE, options.input_name, options.output_name)
