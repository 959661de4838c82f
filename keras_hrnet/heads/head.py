"""What a head is: how four maps become logits. The base class of the package's heads, and of a user's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.families.counting import ConvolutionCost, Cost, count
from keras_hrnet.families.family import Family, LayerOptions, Shapes

if TYPE_CHECKING:
    import keras


# Yuan et al., "Object-Contextual Representations for Semantic Segmentation", 2020, section 4.1; NVIDIA's `OCR_ALPHA`.
AUXILIARY_LOSS_WEIGHT = 0.4

Backbone = Callable[["keras.KerasTensor"], Sequence["keras.KerasTensor"]]
"""From a symbolic image to four maps, finest first."""


@dataclasses.dataclass(frozen=True)
class Head:
    """What is put on the four maps of a backbone.

    A head of your own is a frozen dataclass that extends this class, with its options as fields and a method `logits`.
    It can be passed as `head=` to every constructor, and the network is saved, trained and exported as any other.

    Example:

    >>> import dataclasses, keras, keras_hrnet
    >>> @dataclasses.dataclass(frozen=True)
    ... class Finest(keras_hrnet.heads.Head):
    ...     kernel_size: int = 3
    ...
    ...     def logits(self, maps, num_classes, options):
    ...         return [keras.layers.Conv2D(num_classes, self.kernel_size, padding="same", name="finest")(maps[0])]
    >>> variant = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=4, modules=(1, 1, 1), blocks=1)
    >>> keras_hrnet.HRNet(variant, 5, head=Finest(), data_format="channels_last").output_shape
    (None, None, None, 5)
    """

    name: ClassVar[str | None] = None
    """The value of `head=` that stands for it; None for a head that is only passed as an object."""

    summary: ClassVar[str] = ""
    """What it does, as lists of heads say it."""

    own_layer: ClassVar[str | None] = None
    """The name of a layer that tells its networks from those of the heads that are listed before it."""

    loss_weights: ClassVar[tuple[float, ...]] = ()
    """For each auxiliary logits that `logits` returns, what their loss is multiplied by in `fit`."""

    segments: ClassVar[bool] = True
    """Whether it classifies each pixel, and not the image."""

    interpolation: ClassVar[str] = "bilinear"
    """How its network upsamples maps where neither the user nor the weights say it."""

    output_strides: ClassVar[tuple[int, ...]] = (1, 4)
    """The strides that its logits can have."""

    weight_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs: the pattern of a layer's path, and what replaces it in the official name of its weights. A head without
    any is never loaded from a published file: `weights=` then loads the backbone alone."""

    telling_weights: ClassVar[tuple[str, ...]] = ()
    """Official names of weights whose shapes tell the head and its options."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if "check" in field.metadata:
                check_option(f"`{type(self).__name__}`", field.name, getattr(self, field.name), field.metadata["check"])
                if isinstance(value := getattr(self, field.name), list):
                    object.__setattr__(self, field.name, tuple(value))

    def options(self) -> dict[str, Any]:
        """Returns the options of the head by the names of the arguments that constructors of networks have for them."""
        return {field.metadata["argument"]: getattr(self, field.name) for field in dataclasses.fields(self)}

    def logits(
        self, maps: Sequence[keras.KerasTensor], num_classes: int, options: LayerOptions
    ) -> Sequence[keras.KerasTensor]:
        """Connects the layers of the head.

        Args:
            maps: four symbolic maps `(batch, height / stride, width / stride, channels)` of strides 4, 8, 16 and 32.
            num_classes: channels of the logits.
            options: what all layers of the network share.

        Returns:
            Symbolic maps `(batch, height / 4, width / 4, num_classes)`: first the logits, then auxiliary logits, one
            for each of `loss_weights`, which only training computes.
        """
        raise NotImplementedError(f"The head {type(self).__name__} has no method `logits`. Expected one. Write it.")

    def connect(
        self, image: keras.KerasTensor, backbone: Backbone, num_classes: int, options: LayerOptions, output_stride: int
    ) -> tuple[dict[str, keras.KerasTensor], tuple[float, ...]]:
        """Connects backbone and head, and upsamples the logits to the size of the image.

        Args:
            image: symbolic `(batch, height, width, channels)`, as the backbone takes it.
            backbone: the function that makes four maps of an image.
            num_classes, options: as in `logits`.
            output_stride: one of `output_strides`.

        Returns:
            A pair. First a dict of symbolic float32 tensors by the name of their layer: the logits, then what is
            trained besides. Second the weights of the losses of all but the first.
        """
        logits = list(self.logits(backbone(image), num_classes, options))
        if len(logits) != 1 + len(self.loss_weights) or any(x.shape[-1] != num_classes for x in logits):
            shapes = [tuple(x.shape) for x in logits]
            raise ValueError(
                f"The head {type(self).__name__} returned maps of shapes {shapes} from `logits`. Expected "
                f"{1 + len(self.loss_weights)} of {num_classes} channels: the logits, and auxiliary ones for each of "
                f"loss_weights={self.loss_weights}. Correct `logits` or `loss_weights`."
            )
        names = ["logits", "auxiliary_logits", *(f"auxiliary_logits_{i}" for i in range(2, len(logits)))]
        tensors = {
            name: upsample_logits(x, image, output_stride, options, name)
            for name, x in zip(names, logits, strict=False)
        }
        return tensors, self.loss_weights

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        """Lists the convolutions that inference computes, for maps of these channels."""
        raise NotImplementedError(
            f"The head {type(self).__name__} does not say what it costs. Expected a method `convolutions` that lists "
            "its convolutions. Write it, or count with `model.count_params()`."
        )

    def cost(self, backbone: Family, num_classes: int, image_size: tuple[int, int]) -> Cost:
        """Counts what inference computes of a whole network, for an image of (height, width) pixels."""
        convolutions = self.convolutions(backbone.widths, num_classes)
        return backbone.cost(image_size) + count(convolutions, image_size)

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        """Reads from the shapes of weights whether they are of this head, and with which options.

        Args:
            shapes: the shapes of the weights.
            joined: channels of the four maps together.

        Returns:
            None if they are of another head. Else a pair: arguments of the constructor ("num_classes", "head", …), and
            what the head of the file has that this one cannot have, or None.
        """
        return None


def option(default: Any, argument: str, check: Callable[[Any], str | None] | None = None) -> Any:
    """Makes a field of a head's dataclass that the constructors of networks take as an argument too.

    Args:
        default: the value where none is given.
        argument: what constructors call it, such as "ocr_channels".
        check: returns, for a wrong value, the sentence that says what was expected; None for a right one.
    """
    return dataclasses.field(default=default, metadata={"argument": argument, **({"check": check} if check else {})})


def check_option(receiver: str, name: str, value: Any, check: Callable[[Any], str | None]) -> None:
    """Raises a `ValueError` if `check` says what was expected of a value."""
    if expected := check(value):
        raise ValueError(f"{receiver} received {name}={value!r}. {expected}")


def two_channels(value: Any) -> str | None:
    """Checks the channels of a head that compares features."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(n, int) and n > 0 for n in value):
        return None
    return (
        "Expected two whole numbers of at least 1: channels of the features, and of what is compared. The published "
        "ones are (512, 256)."
    )


def channels_or_none(value: Any) -> str | None:
    """Checks a number of channels; None stands for that of the joined maps."""
    if value is None or (isinstance(value, int) and value > 0):
        return None
    return "Expected a whole number of at least 1, or None for the channels of the joined maps. Pass one of them."


def head_kernel_size(value: Any) -> str | None:
    """Checks the side of the first kernel of logits."""
    return None if value in (1, 3) else "Expected 1 (the official code) or 3 (openseg). Pass one of them."


def yes_or_no(value: Any) -> str | None:
    """Checks an option that is on or off."""
    return None if isinstance(value, bool) else "Expected True or False. Pass one of them."


def upsample_logits(
    logits: keras.KerasTensor, image: keras.KerasTensor, output_stride: int, options: LayerOptions, name: str = "logits"
) -> keras.KerasTensor:
    """Brings logits to the height and width of the image, in float32 under every dtype policy.

    Args:
        logits: symbolic `(batch, height / 4, width / 4, num_classes)`.
        image: symbolic `(batch, height, width, 3)`, of which only the size is used.
        output_stride: 1, or another to leave the size as it is.
    """
    import keras

    from keras_hrnet.layers import Resize

    if output_stride != 1:
        return keras.layers.Activation("linear", dtype="float32", name=name)(logits)
    resizing = options.interpolation, options.align_corners
    return Resize(*resizing, data_format="channels_last", dtype="float32", name=name)([logits, image])
