"""What a `.tflite` file shall be: the options of `export_tflite`, checked, and what they make of a network."""

import dataclasses

import keras

from keras_hrnet.export.network import check_network
from keras_hrnet.models.interface import data_format

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8", "mixed")
OUTPUTS = ("logits", "logits_stride4", "labels", "probabilities")
INPUT_DTYPES = ("float32", "uint8")


@dataclasses.dataclass(frozen=True)
class TFLiteOptions:
    """What a `.tflite` file shall be.

    Args:
        image_size: (height, width) of the images, fixed.
        precision: "float32", "float16", "dynamic", "int8", "int16x8" or "mixed"; see `export_tflite`.
        output: "logits", "logits_stride4", "labels" or "probabilities".
        input_dtype: "float32" or "uint8".
        batch_size: how many images go in at once, fixed.

    Raises:
        ValueError: if one of them is something else.
    """

    image_size: tuple[int, int]
    precision: str = "float32"
    output: str = "logits"
    input_dtype: str = "float32"
    batch_size: int = 1

    def __post_init__(self):
        for name, allowed in (("precision", PRECISIONS), ("output", OUTPUTS), ("input_dtype", INPUT_DTYPES)):
            value = getattr(self, name)
            if value not in allowed:
                listed = " or ".join(map(repr, allowed))
                raise ValueError(f"Received {name}={value!r}. Expected {listed}. Pass {name}={allowed[0]!r}.")
        if not _are_sizes(self.image_size) or len(self.image_size) != 2:
            raise ValueError(
                f"Received image_size={self.image_size!r}. Expected the height and width of the images in pixels, two "
                "whole numbers. Pass for example image_size=(512, 1024)."
            )
        object.__setattr__(self, "image_size", tuple(map(int, self.image_size)))
        if not _are_sizes((self.batch_size,)):
            raise ValueError(f"Received batch_size={self.batch_size!r}. Expected a whole number from 1. Pass 1.")

    @property
    def input_shape(self):
        """The shape of what goes in: (batch, height, width, 3)."""
        return (self.batch_size, *self.image_size, 3)

    @property
    def output_name(self):
        """What the output is called in the file: "logits", "labels" or "probabilities"."""
        return self.output.removesuffix("_stride4")


def logits_model(model, options):
    """Cuts a network where the logits are that a file gives.

    Args:
        model: a functional network from images to logits.
        options: a `TFLiteOptions`.

    Returns:
        A pair: a model from the same images to logits, which is `model` itself or its part before the layer "logits"
        that enlarges them; and the axis of the classes in its output, -1 or 1.

    Raises:
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if it gives no logits, computes in half precision, cannot take images of this size, or gives
            logits of another size than the options ask for.
    """
    check_network(model)
    stride = _logits_stride(model, options.image_size)
    axis = -1 if stride is None or data_format(model) == "channels_last" else 1
    if options.output != "logits_stride4":
        if stride in (1, None):
            return model, axis
        raise ValueError(
            f"Received output={options.output!r} for the model {model.name!r}, which gives logits at stride {stride}. "
            "Expected logits of the size of the image. Build it with output_stride=1, or pass output='logits_stride4'."
        )
    if stride == 4:
        return model, axis
    if stride is None or "logits" not in {layer.name for layer in model.layers}:
        raise ValueError(
            f"Received output='logits_stride4' for the model {model.name!r}, which has no layer 'logits' that enlarges "
            "them from stride 4. Expected a segmentation network of this package. Pass output='logits'."
        )
    layer = model.get_layer("logits")
    before = layer.input[0] if isinstance(layer.input, (list, tuple)) else layer.input
    # The networks of this package are channels last inside, whatever goes in.
    axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
    return keras.Model(model.inputs[0], before), axis


def _are_sizes(sizes):
    try:
        return all(int(size) == size >= 1 for size in sizes)
    except (TypeError, ValueError):
        return False


def _logits_stride(model, image_size):
    channels_last = data_format(model) == "channels_last"
    shape = (1, *image_size, 3) if channels_last else (1, 3, *image_size)
    built_for = tuple(model.inputs[0].shape)
    if any(size not in (None, wanted) for size, wanted in zip(built_for[1:], shape[1:], strict=True)):
        raise ValueError(
            f"Received image_size={image_size} for the model {model.name!r}. Expected images of shape {built_for[1:]}, "
            "which it was built for. Pass their size, or build it with input_shape=(None, None, 3)."
        )
    output_shape = tuple(model.compute_output_shape(shape))
    if len(output_shape) == 2:
        return None
    height = output_shape[1] if channels_last else output_shape[2]
    return -(-image_size[0] // height)
