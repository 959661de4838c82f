"""The TensorFlow function that SavedModels and ONNX files are made of: from images to logits."""

import dataclasses
import functools

from keras_hrnet.backends.freezing import freeze
from keras_hrnet.export.network import check_network
from keras_hrnet.models import optimize_for_inference
from keras_hrnet.models.interface import data_format

INPUT_DTYPES = ("float32", "uint8")
INPUT_NAME = "images"
OUTPUT_NAME = "logits"


@dataclasses.dataclass(frozen=True)
class ServingOptions:
    """What goes into an exported file.

    Args:
        image_size: (height, width) of the images; None for any, as a whole or for one of the two.
        batch_size: how many images go in at once; None for any number.
        input_dtype: "float32" or "uint8".

    Raises:
        ValueError: if one of them is something else.
    """

    image_size: tuple[int | None, int | None] | None = None
    batch_size: int | None = None
    input_dtype: str = "uint8"

    def __post_init__(self):
        if self.input_dtype not in INPUT_DTYPES:
            raise ValueError(
                f"Received input_dtype={self.input_dtype!r}. Expected 'float32' or 'uint8'. Pass "
                f"input_dtype={INPUT_DTYPES[0]!r}."
            )
        size = (None, None) if self.image_size is None else self.image_size
        if not isinstance(size, tuple | list) or len(size) != 2 or not all(map(_is_length, size)):
            raise ValueError(
                f"Received image_size={self.image_size!r}. Expected the height and width of the images in pixels, two "
                "whole numbers, or None for images of any size. Pass for example image_size=(512, 1024)."
            )
        object.__setattr__(self, "image_size", tuple(None if length is None else int(length) for length in size))
        if not _is_length(self.batch_size):
            raise ValueError(
                f"Received batch_size={self.batch_size!r}. Expected a whole number from 1, or None for any number of "
                "images. Pass batch_size=1."
            )

    @property
    def input_shape(self):
        """The shape of what goes in: (batch, height, width, 3), with None for what may vary."""
        return (self.batch_size, *self.image_size, 3)

    def for_model(self, model):
        """Checks a network, and fixes what it was built for.

        Args:
            model: a functional network from images to logits.

        Returns:
            Options of the same class, with the batch and image size of the model where it has them.

        Raises:
            TypeError: if `model` is not a functional model from one tensor to one.
            ValueError: if it gives no logits, computes in half precision, or was built for another size.
        """
        check_network(model)
        shape = tuple(model.inputs[0].shape)
        batch, *size = shape[:3] if data_format(model) == "channels_last" else (shape[0], *shape[2:])
        for name, wanted, built_for in (
            ("image_size", self.image_size, tuple(size)),
            ("batch_size", (self.batch_size,), (batch,)),
        ):
            if any(None not in pair and pair[0] != pair[1] for pair in zip(wanted, built_for, strict=True)):
                raise ValueError(
                    f"Received {name}={getattr(self, name)} for the model {model.name!r}. Expected "
                    f"{built_for if name == 'image_size' else batch}, which it was built for. Leave {name} out, or "
                    "build the model with input_shape=(None, None, 3)."
                )
        size = tuple(wanted or length for wanted, length in zip(self.image_size, size, strict=True))
        return dataclasses.replace(self, image_size=size, batch_size=self.batch_size or batch)


def serving_function(model, options, freezes=False):
    """Builds the function that a file is made of, from the network as `optimize_for_inference` leaves it.

    Args:
        model: a functional network on the TensorFlow backend.
        options: `ServingOptions` for the model.
        freezes: whether the weights are constants.

    Returns:
        A `tf.function` from "images", of `options.input_shape`, to `{"logits": float32}`, channels last.
    """
    import tensorflow as tf

    network = optimize_for_inference(model)
    predict = freeze(network) if freezes else functools.partial(network, training=False)
    is_channels_first = data_format(network) == "channels_first"
    images = tf.TensorSpec(options.input_shape, options.input_dtype, name=INPUT_NAME)

    @tf.function(input_signature=[images])
    def serve(images):
        x = tf.cast(images, tf.float32)
        if is_channels_first:
            x = tf.transpose(x, (0, 3, 1, 2))
        logits = predict(x)
        if is_channels_first and len(logits.shape) == 4:
            logits = tf.transpose(logits, (0, 2, 3, 1))
        return {OUTPUT_NAME: logits}

    return serve


def _is_length(value):
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
