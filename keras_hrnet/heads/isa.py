"""Interlaced self-attention, which classifies each pixel by itself and by all other pixels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from keras_hrnet.families.counting import ConvolutionCost, Cost, count
from keras_hrnet.families.family import Family, LayerOptions
from keras_hrnet.heads.fcn import classifier, joined, two_convolution_costs, two_convolutions
from keras_hrnet.heads.head import AUXILIARY_LOSS_WEIGHT, Head, head_kernel_size, option, two_channels

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class ISA(Head):
    """Joins the four maps at stride 4 and classifies each pixel by itself and by all other pixels.

    Args:
        channels: two numbers: the channels of features and values, and the channels of the keys with which pixels are
            compared.
        block_size: (height, width) of the blocks of the attention, in pixels at stride 4.
        dropout: fraction of the channels of the features that training sets to zero.
        kernel_size: height and width of the kernel of the auxiliary logits' first convolution, 1 or 3.

    Reference: openseg.pytorch, lib/models/nets/isanet.py, `ISANet`, which has this head. No published class combines it
    with HRNet; the auxiliary logits are those of `OCR`.
    """

    name: ClassVar[str | None] = "isa"
    summary: ClassVar[str] = "each pixel by itself and by all other pixels"
    own_layer: ClassVar[str | None] = "isa_head"
    loss_weights: ClassVar[tuple[float, ...]] = (AUXILIARY_LOSS_WEIGHT,)

    channels: tuple[int, int] = option((512, 256), "isa_channels", two_channels)
    block_size: tuple[int, int] = option((8, 8), "isa_block_size")
    dropout: float = option(0.05, "isa_dropout")
    kernel_size: int = option(1, "head_kernel_size", head_kernel_size)

    def logits(
        self, maps: Sequence[keras.KerasTensor], num_classes: int, options: LayerOptions
    ) -> Sequence[keras.KerasTensor]:
        from keras_hrnet.layers import ConvNorm, InterlacedContext

        filters, key = self.channels
        x = joined(maps, options)
        auxiliary = two_convolutions(x, num_classes, "aux_head", self.kernel_size, options)
        pixels = ConvNorm(filters, 3, name="conv3x3_isa", **options.of_layer)(x)
        of_context = filters, key, filters, self.block_size, self.dropout
        context = InterlacedContext(*of_context, name="isa_head", **options.of_layer)(pixels)
        return classifier(num_classes, "cls_head", options)(context), auxiliary

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        filters, key = self.channels
        yield ConvolutionCost(sum(widths), filters, 3, 4)
        for _ in ("across blocks", "within a block"):
            for _ in ("query", "key"):
                yield ConvolutionCost(filters, key, 1, 4)
                yield ConvolutionCost(key, key, 1, 4)
            yield ConvolutionCost(filters, filters, 1, 4, norm=False)
            yield ConvolutionCost(filters, filters, 1, 4)
        yield ConvolutionCost(2 * filters, filters, 1, 4)
        yield ConvolutionCost(filters, num_classes, 1, 4, bias=True, norm=False)

    def cost(self, backbone: Family, num_classes: int, image_size: tuple[int, int]) -> Cost:
        # Unlike those of OCR, the auxiliary logits count only as parameters, because inference leaves them out.
        auxiliary = count(two_convolution_costs(backbone.widths, num_classes, self.kernel_size), image_size)
        attention = Cost(auxiliary.parameters, self._products(image_size))
        return super().cost(backbone, num_classes, image_size) + attention

    def _products(self, image_size: tuple[int, int]) -> int:
        sides = zip(image_size, self.block_size, strict=True)
        pixels = math.prod(math.ceil(math.ceil(length / 4) / step) * step for length, step in sides)
        in_block = math.prod(self.block_size)
        return pixels * (pixels // in_block + in_block) * sum(self.channels)
