"""The options that all exported files have, and their validation for a network."""

import dataclasses
from typing import ClassVar, Self

import keras

from keras_hrnet.models.interface import channel_axis_of, data_format, has_own_unit, min_image_size, num_channels

INPUT_DTYPES = ("float32", "uint8")


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """The options of an exported file.

    Args:
        image_size: (height, width) of the images in pixels; None for any size, or for any height or width.
        batch_size: number of images in a batch; None for any number.
        input_dtype: dtype of the images: "float32" or "uint8".
        channels: number of channels of the images; `for_model` sets it.
        takes_pixels: whether the values of the images are in [0, 255] and not in another unit; `for_model` sets it.

    Raises:
        ValueError: if an option is invalid.
    """

    image_size: tuple[int | None, int | None] | None = None
    batch_size: int | None = None
    input_dtype: str = "uint8"
    channels: int = dataclasses.field(default=3, kw_only=True)
    takes_pixels: bool = dataclasses.field(default=True, kw_only=True)

    has_fixed_shape: ClassVar[bool] = False
    """Whether the size and the number of the images must be given."""
    input_name: ClassVar[str] = "images"
    precision: ClassVar[str] = "float32"
    output: ClassVar[str] = "logits"
    num_images: ClassVar[int] = 4
    """The maximum number of images that are taken from a data set."""
    is_calibrated: ClassVar[bool] = False
    """Whether the precision is calibrated with images."""
    uncalibrated: ClassVar[str] = "float32"
    """The smallest precision that needs no images."""
    closer: ClassVar[str] = "'float32' is"
    """The precisions that are closer to Keras, for messages."""

    def __post_init__(self) -> None:
        check_choice("input_dtype", self.input_dtype, INPUT_DTYPES)
        try:
            height, width = map(self._length, (None, None) if self.image_size is None else self.image_size)
        except (TypeError, ValueError):
            raise ValueError(
                f"Received image_size={self.image_size!r}. Expected the height and width of the images in pixels, two "
                f"whole numbers{'' if self.has_fixed_shape else ', or None for images of any size'}. Pass for example "
                "image_size=(512, 1024)."
            ) from None
        object.__setattr__(self, "image_size", (height, width))
        try:
            object.__setattr__(self, "batch_size", self._length(self.batch_size))
        except (TypeError, ValueError):
            raise ValueError(
                f"Received batch_size={self.batch_size!r}. Expected a whole number from 1"
                f"{'' if self.has_fixed_shape else ', or None for any number of images'}. Pass batch_size=1."
            ) from None

    def _length(self, value):
        if value is None and not self.has_fixed_shape:
            return None
        if int(value) != value or value < 1:
            raise ValueError
        return int(value)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of the input: (batch, height, width, channels), with None for what may vary."""
        return (self.batch_size, *self.image_size, self.channels)

    @property
    def values(self) -> str:
        """A description of the values of the images."""
        if not self.takes_pixels:
            return "in the unit of mean and deviation"
        kind = "RGB" if self.channels == 3 else f"{self.channels} channel{'s' * (self.channels > 1)}"
        return f"{kind} in [0, 255]"

    @property
    def output_name(self) -> str:
        """The name of the output in the file: "logits", "labels" or "probabilities"."""
        return self.output.removesuffix("_stride4")

    def for_model(self, model: keras.Model) -> Self:
        """Checks a network, and returns options with the batch and image size that it was built for, if any.

        Raises:
            TypeError: if `model` is not a functional model from one tensor to one.
            ValueError: if it does not return logits, computes in half precision, was built for another size, or
                requires larger images.
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
                    f"{built_for if name == 'image_size' else batch}, which it was built for. Pass that, or build the "
                    f"model with input_shape=(None, None, {num_channels(model)})."
                )
        size = tuple(wanted or length for wanted, length in zip(self.image_size, size, strict=True))
        least = min_image_size(model)
        if any(length is not None and length < least for length in size):
            raise ValueError(
                f"Received image_size={size} for the model {model.name!r}. Expected a height and width of at least "
                f"{least}, because it halves images five times at its smallest scale. Pass a larger image_size."
            )
        return dataclasses.replace(
            self,
            image_size=size,
            batch_size=self.batch_size or batch,
            channels=num_channels(model),
            takes_pixels=not has_own_unit(model),
        )

    def logits_model(self, model: keras.Model) -> tuple[keras.Model, int]:
        """Returns the network up to the logits that the file returns, and the axis of their classes, −1 or 1."""
        return model, channel_axis_of(model)


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raises a ValueError if the value of an option is not an allowed one."""
    if value not in allowed:
        listed = " or ".join(map(repr, allowed))
        raise ValueError(f"Received {name}={value!r}. Expected {listed}. Pass {name}={allowed[0]!r}.")


def check_network(model: object) -> None:
    """Refuses a model that is not a float32 network from images to logits.

    Raises:
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if it does not return logits, or computes in half precision.
    """
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not isinstance(model, keras.Model) or not inputs or not outputs or len(inputs) != 1 or len(outputs) != 1:
        raise TypeError(
            f"Received a model of type {type(model).__name__}. Expected a functional keras.Model from one batch of "
            "images to one tensor of logits. Pass a network with a head, for example keras_hrnet.HRNetW18()."
        )
    data_format(model)
    shape = tuple(outputs[0].shape)
    if len(shape) not in (2, 4) or "float" not in keras.utils.standardize_dtype(outputs[0].dtype):
        raise ValueError(
            f"Received the model {model.name!r} with an output of shape {shape} and dtype {outputs[0].dtype}. "
            "Expected float logits (batch, height, width, num_classes) or (batch, num_classes). Build it with a "
            "head; a `.tflite` file derives labels and probabilities from logits."
        )
    if half := half_precision(model):
        raise ValueError(
            f"Received the model {model.name!r}, which computes in {half}. Expected float32. Export "
            "`keras_hrnet.optimize_for_inference(model, dtype='float32')`. Or build the model again with "
            "dtype='float32', and copy the weights: `new.set_weights(model.get_weights())`."
        )


def half_precision(model: keras.Model) -> str | None:
    """Returns the dtype of 16 bits in which a model computes, or None if it computes in none."""
    return next(iter(sorted({layer.compute_dtype for layer in model.layers} & {"float16", "bfloat16"})), None)
