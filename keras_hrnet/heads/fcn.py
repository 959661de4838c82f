"""FCN, which classifies each pixel by itself, with two convolutions of the four maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.families.counting import ConvolutionCost
from keras_hrnet.families.family import LayerOptions, Shapes, first_size
from keras_hrnet.heads.head import Head, channels_or_none, head_kernel_size, option

if TYPE_CHECKING:
    import keras

    from keras_hrnet.layers import Convolution


_FIRST, _LAST = "last_layer.0.weight", "last_layer.3.weight"


@dataclasses.dataclass(frozen=True)
class FCN(Head):
    """Joins the four maps at stride 4 and classifies each pixel with two convolutions.

    Args:
        kernel_size: height and width of the first convolution's kernel, 1 or 3; those of the second kernel are 1.
        channels: filters of the first convolution; None for the number of channels of the joined maps.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `last_layer`; openseg.pytorch,
    lib/models/nets/hrnet.py, `HRNet_W48`, for a kernel of 3; CSAILVision/semantic-segmentation-pytorch, `C1`, for a
    quarter of the channels.
    """

    name: ClassVar[str] = "fcn"
    summary: ClassVar[str] = "each pixel by itself"
    own_layer: ClassVar[str | None] = "last_layer_0"
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^(last_layer)_0/", r"\1."),
        (r"^(last_layer)_3/", r"\1.3."),
    )
    telling_weights: ClassVar[tuple[str, ...]] = (_FIRST, _LAST)

    kernel_size: int = option(1, "head_kernel_size", head_kernel_size)
    channels: int | None = option(None, "head_channels", channels_or_none)

    def logits(
        self, maps: Sequence[keras.KerasTensor], num_classes: int, options: LayerOptions
    ) -> Sequence[keras.KerasTensor]:
        x = joined(maps, options)
        return [two_convolutions(x, num_classes, "last_layer", self.kernel_size, options, self.channels)]

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        return two_convolution_costs(widths, num_classes, self.kernel_size, self.channels)

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        if not shapes.keys() & set(cls.telling_weights):
            return None
        options = {"num_classes": first_size(shapes, _LAST), "head": cls.name, **kernel_size_in(shapes, _FIRST)}
        channels = first_size(shapes, _FIRST)
        return options if channels in (0, joined) else {**options, "head_channels": channels}, None


def joined(maps: Sequence[keras.KerasTensor], options: LayerOptions) -> keras.KerasTensor:
    """Concatenates the channels of four maps at the size of the finest map."""
    from keras_hrnet.layers import ResizeConcatenate

    return ResizeConcatenate(name="concatenate", **options.of_resizing)(maps)


def two_convolutions(
    x: keras.KerasTensor,
    num_classes: int,
    name: str,
    kernel_size: int,
    options: LayerOptions,
    filters: int | None = None,
) -> keras.KerasTensor:
    """Classifies each pixel with a convolution, which keeps the channels or has `filters`, and a 1x1 convolution."""
    from keras_hrnet.layers import ConvNorm

    # The numbers are the positions of the convolutions in the published sequence of layers.
    x = ConvNorm(filters or x.shape[-1], kernel_size, use_bias=True, name=f"{name}_0", **options.of_layer)(x)
    return classifier(num_classes, f"{name}_3", options)(x)


def classifier(num_classes: int, name: str, options: LayerOptions) -> Convolution:
    """Returns the 1x1 convolution that computes logits."""
    from keras_hrnet.layers import Convolution
    from keras_hrnet.layers.convolution import classifier_initializer

    initializer = classifier_initializer()
    return Convolution(num_classes, 1, kernel_initializer=initializer, name=name, **options.of_layer)


def two_convolution_costs(
    widths: Sequence[int], num_classes: int, side: int, filters: int | None = None
) -> Iterator[ConvolutionCost]:
    """Lists the convolutions that `two_convolutions` applies to joined maps."""
    channels = sum(widths)
    yield ConvolutionCost(channels, filters or channels, side, 4, bias=True)
    yield ConvolutionCost(filters or channels, num_classes, 1, 4, bias=True, norm=False)


def kernel_size_in(shapes: Shapes, name: str) -> dict[str, int]:
    """Reads the argument `head_kernel_size` from the shape of a kernel; returns an empty dict if it is the default."""
    size = shapes[name][-1] if name in shapes else 1
    return {} if size == 1 else {"head_kernel_size": size}
