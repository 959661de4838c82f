"""The base class of the families, which describe how a backbone computes four maps, and the names of its weights."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.architecture import MIN_SIZE
from keras_hrnet.families.counting import Cost, HasCost, count

if TYPE_CHECKING:
    import keras


Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of weights in PyTorch's order, by official name."""


@dataclasses.dataclass(frozen=True)
class LayerOptions:
    """The options that are common to all layers of a network.

    Layers are always channels_last internally, whatever the user's data format: on a CPU, TensorFlow and XLA are fast
    only with channels_last convolutions, and PyTorch takes channels_last memory without a copy.

    Args:
        interpolation: how maps are upsampled, "bilinear" or "nearest".
        align_corners: whether bilinear resizing aligns the centers of the corner pixels.
        dtype: a dtype policy or its name; None for the global one.
        remat: whether training recomputes the intermediate results of the modules in the backward pass.
        mean: mean of each channel of the images; None for the default of `Normalize`.
        deviation: standard deviation of each channel, likewise.
    """

    interpolation: str = "bilinear"
    align_corners: bool = False
    dtype: Any = None
    remat: bool = False
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None

    @property
    def of_layer(self) -> dict[str, Any]:
        """The arguments that every layer takes."""
        return {"data_format": "channels_last", "dtype": self.dtype}

    @property
    def of_resizing(self) -> dict[str, Any]:
        """The arguments of a layer that also resizes maps."""
        return {"interpolation": self.interpolation, "align_corners": self.align_corners, **self.of_layer}

    @property
    def of_normalization(self) -> dict[str, Any]:
        """The arguments of the layer that normalizes images."""
        return {"mean": self.mean, "deviation": self.deviation, **self.of_layer}


class Family:
    """The base class of the rows of a family: frozen dataclasses whose fields are the widths and depths of a network.

    A family is one file in `keras_hrnet/families`, listed in its `__init__`. It defines the attributes and methods
    below.
    """

    layer_pattern: ClassVar[str]
    """Regular expression of the paths of the backbone's weights in a model of this package."""

    weight_pattern: ClassVar[str]
    """Regular expression of the official names of the backbone's weights."""

    weight_names: ClassVar[tuple[tuple[str, str], ...]]
    """Pairs of the pattern of a layer's path and its replacement in the official name of the layer's weights."""

    weight_parts: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Additional pairs for the paths of layers inside blocks, applied after a pair above has been replaced."""

    reference: ClassVar[str]
    """The paper, as it is cited in docstrings."""

    default_head: ClassVar[str] = "fcn"
    """The default head of the constructors of the family's published networks."""

    head_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The published options of heads on this backbone, by the name of the head and of the argument."""

    align_corners: ClassVar[bool] = False
    """Whether the published heads of this family align corners in bilinear upsampling."""

    arguments: ClassVar[Mapping[str, str]] = {}
    """Fields that are arguments of the constructors of the family's published networks, each with its docstring."""

    min_size: ClassVar[int] = MIN_SIZE
    """The minimum height and width of an image, in pixels."""

    name: str
    """The name of the network in a summary and in errors."""

    width: int
    """Channels of the finest map; each coarser map has twice as many."""

    modules: tuple[int, int, int]
    """Modules of the stages with two, three and four branches."""

    blocks: int
    """Blocks in each branch of each module."""

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels of the four maps, finest first."""
        return tuple(self.width * 2**i for i in range(4))

    def check_counts(self, *counts: Any) -> None:
        """Checks the numbers that all rows have, and additional `counts`.

        Raises:
            ValueError: if there are not three modules, or a number is not a whole number of at least 1.
        """
        object.__setattr__(self, "modules", tuple(self.modules))
        if len(self.modules) != 3:
            raise ValueError(
                f"`{type(self).__name__}` received modules={self.modules}. Expected three numbers, one for each of the "
                "stages with two, three and four branches. Pass, for example, (1, 4, 3), as in HRNetW48."
            )
        if any(not isinstance(count, int) or count < 1 for count in (self.width, *self.modules, self.blocks, *counts)):
            raise ValueError(
                f"Received {self}. Expected whole numbers of at least 1 for widths and depths. Correct the number that "
                "is not."
            )

    def connect(self, image: keras.KerasTensor, options: LayerOptions) -> list[keras.KerasTensor]:
        """Connects the backbone.

        Args:
            image: symbolic `(batch, height, width, channels)`, RGB in [0, 255] or the values that the network is built
                for.
            options: options that are common to all layers.

        Returns:
            Four symbolic maps of strides 4, 8, 16 and 32, finest first, with the channels of `widths`.
        """
        raise NotImplementedError

    def convolutions(self) -> Iterator[HasCost]:
        """Lists the convolutions of the backbone, and its other parts that have a cost."""
        raise NotImplementedError

    def with_arguments(self, head: str | None, arguments: Mapping[str, Any]) -> Family:
        """Returns the row with other values of the fields in `arguments`.

        Args:
            head: the name of the network's head; None for no head or a custom head.
            arguments: values by field; None for the published one.
        """
        return dataclasses.replace(self, **{name: x for name, x in arguments.items() if x is not None})

    def cost(self, image_size: tuple[int, int]) -> Cost:
        """Counts the backbone's parameters and multiplications for an image of (height, width) pixels."""
        return count(self.convolutions(), image_size)

    def sizes(self) -> dict[str, Any]:
        """Returns the fields that determine the shapes of the weights."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "name"}

    @classmethod
    def sizes_in(cls, shapes: Shapes) -> dict[str, Any]:
        """Determines from the shapes of weights which network they belong to.

        Returns:
            The fields of a row, except its name and the fields that shapes do not determine; 0 if the weights are
            missing.
        """
        raise NotImplementedError

    @classmethod
    def joined_channels(cls, sizes: Mapping[str, Any]) -> int:
        """Returns the total number of channels of the four maps, from the result of `sizes_in`."""
        return sizes["width"] * (1 + 2 + 4 + 8)


def first_size(shapes: Shapes, *names: str) -> int:
    """Returns the first length of the first of these weights that exists; 0 if none exists."""
    return next((shapes[name][0] for name in names if name in shapes), 0)


def num_matching(shapes: Shapes, pattern: str) -> int:
    """Returns one more than the largest number that the group of a pattern matches in a name; 0 if none matches."""
    numbers = [int(match.group(1)) for match in map(re.compile(pattern).match, shapes) if match]
    return max(numbers, default=-1) + 1
