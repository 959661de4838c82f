"""The base class of this package's heads and of custom heads. A head turns four maps into logits."""

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
"""A function from a symbolic image to four maps, finest first."""


@dataclasses.dataclass(frozen=True)
class Head:
    """The layers that turn the four maps of a backbone into logits.

    A custom head is a frozen dataclass that extends this class, with its options as fields and a method `logits`. It
    can be passed as `head=` to every constructor, and the network can be saved, trained and exported like any other.

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
    """The value of `head=` that selects this head; None for a head that can only be passed as an object."""

    summary: ClassVar[str] = ""
    """A short description for lists of heads."""

    own_layer: ClassVar[str | None] = None
    """The name of a layer that distinguishes networks with this head from those with heads listed before it."""

    loss_weights: ClassVar[tuple[float, ...]] = ()
    """For each map of auxiliary logits that `logits` returns, the factor of its loss in `fit`."""

    segments: ClassVar[bool] = True
    """Whether the head classifies each pixel, and not the image."""

    interpolation: ClassVar[str] = "bilinear"
    """How the network upsamples maps if neither the user nor the weights determine it."""

    output_strides: ClassVar[tuple[int, ...]] = (1, 4)
    """The supported strides of the logits."""

    weight_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of the pattern of a layer's path and its replacement in the official name of the layer's weights. A head
    without pairs is never loaded from a published file: `weights=` then loads only the backbone."""

    telling_weights: ClassVar[tuple[str, ...]] = ()
    """Official names of weights whose shapes determine the head and its options."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if "check" in field.metadata:
                check_option(f"`{type(self).__name__}`", field.name, getattr(self, field.name), field.metadata["check"])
                if isinstance(value := getattr(self, field.name), list):
                    object.__setattr__(self, field.name, tuple(value))

    def options(self) -> dict[str, Any]:
        """Returns the options of the head by their argument names in constructors of networks."""
        return {field.metadata["argument"]: getattr(self, field.name) for field in dataclasses.fields(self)}

    def logits(
        self, maps: Sequence[keras.KerasTensor], num_classes: int, options: LayerOptions
    ) -> Sequence[keras.KerasTensor]:
        """Connects the layers of the head.

        Args:
            maps: four symbolic maps `(batch, height / stride, width / stride, channels)` of strides 4, 8, 16 and 32.
            num_classes: channels of the logits.
            options: options that are common to all layers of the network.

        Returns:
            Symbolic maps `(batch, height / 4, width / 4, num_classes)`: first the logits, then one map of auxiliary
            logits for each of `loss_weights`, which are computed only in training.
        """
        raise NotImplementedError(
            f"The head {type(self).__name__} has no method `logits`, which returns the logits. Implement it."
        )

    def connect(
        self, image: keras.KerasTensor, backbone: Backbone, num_classes: int, options: LayerOptions, output_stride: int
    ) -> tuple[dict[str, keras.KerasTensor], tuple[float, ...]]:
        """Connects the backbone and the head, and upsamples the logits to the size of the image.

        Args:
            image: symbolic `(batch, height, width, channels)`, the input of the backbone.
            backbone: the function that computes four maps from an image.
            num_classes, options: as in `logits`.
            output_stride: one of `output_strides`.

        Returns:
            A pair: a dict of symbolic float32 tensors by layer name, with the logits first and then the auxiliary
            logits; and the loss weights of all tensors after the first.
        """
        logits = list(self.logits(backbone(image), num_classes, options))
        if len(logits) != 1 + len(self.loss_weights) or any(x.shape[-1] != num_classes for x in logits):
            shapes = [tuple(x.shape) for x in logits]
            raise ValueError(
                f"The head {type(self).__name__} returned maps of shapes {shapes} from `logits`. Expected "
                f"the logits and one auxiliary map for each of loss_weights={self.loss_weights}, with {num_classes} "
                "channels. Correct `logits` or `loss_weights`."
            )
        names = ["logits", "auxiliary_logits", *(f"auxiliary_logits_{i}" for i in range(2, len(logits)))]
        tensors = {
            name: upsample_logits(x, image, output_stride, options, name)
            for name, x in zip(names, logits, strict=False)
        }
        return tensors, self.loss_weights

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        """Lists the convolutions that inference computes, for maps with these numbers of channels."""
        raise NotImplementedError(
            f"The head {type(self).__name__} does not state its cost. Expected a method `convolutions` that lists its "
            "convolutions. Implement it, or count with `model.count_params()`."
        )

    def cost(self, backbone: Family, num_classes: int, image_size: tuple[int, int]) -> Cost:
        """Counts the cost of inference of the whole network, for an image of (height, width) pixels."""
        convolutions = self.convolutions(backbone.widths, num_classes)
        return backbone.cost(image_size) + count(convolutions, image_size)

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        """Determines from the shapes of weights whether they belong to this head, and its options.

        Args:
            shapes: the shapes of the weights.
            joined: total number of channels of the four maps.

        Returns:
            None if they belong to another head. Otherwise a pair: arguments of the constructor ("num_classes", "head",
            …), and a feature of the file's head that this head does not support, or None.
        """
        return None


def option(default: Any, argument: str, check: Callable[[Any], str | None] | None = None) -> Any:
    """Returns a field of a head's dataclass that is also an argument of the constructors of networks.

    Args:
        default: the default value.
        argument: the argument's name in constructors, such as "ocr_channels".
        check: function that returns, for an invalid value, a sentence about the expected values; None for a valid
            value.
    """
    return dataclasses.field(default=default, metadata={"argument": argument, **({"check": check} if check else {})})


def check_option(receiver: str, name: str, value: Any, check: Callable[[Any], str | None]) -> None:
    """Raises a `ValueError` if `check` returns a sentence about the expected values."""
    if expected := check(value):
        raise ValueError(f"{receiver} received {name}={value!r}. {expected}")


def two_channels(value: Any) -> str | None:
    """Checks the numbers of channels of a head that compares features."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(n, int) and n > 0 for n in value):
        return None
    return (
        "Expected two whole numbers of at least 1: channels of the features, and of the compared keys. Pass, for "
        "example, (512, 256), as published."
    )


def channels_or_none(value: Any) -> str | None:
    """Checks a number of channels; None means that of the joined maps."""
    if value is None or (isinstance(value, int) and value > 0):
        return None
    return "Expected a whole number of at least 1, or None for the channels of the joined maps. Pass one of them."


def head_kernel_size(value: Any) -> str | None:
    """Checks the height and width of the first kernel of logits."""
    return None if value in (1, 3) else "Expected 1 (the official code) or 3 (openseg). Pass one of them."


def yes_or_no(value: Any) -> str | None:
    """Checks a Boolean option."""
    return None if isinstance(value, bool) else "Expected True or False. Pass one of them."


def upsample_logits(
    logits: keras.KerasTensor, image: keras.KerasTensor, output_stride: int, options: LayerOptions, name: str = "logits"
) -> keras.KerasTensor:
    """Upsamples logits to the height and width of the image, in float32 under every dtype policy.

    Args:
        logits: symbolic `(batch, height / 4, width / 4, num_classes)`.
        image: symbolic `(batch, height, width, 3)`, of which only the size is used.
        output_stride: 1; another stride leaves the size unchanged.
    """
    import keras

    from keras_hrnet.layers import Resize

    if output_stride != 1:
        return keras.layers.Activation("linear", dtype="float32", name=name)(logits)
    resizing = options.interpolation, options.align_corners
    return Resize(*resizing, data_format="channels_last", dtype="float32", name=name)([logits, image])
