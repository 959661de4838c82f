"""OCR, which classifies each pixel by itself and by the classes in the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.families.counting import ConvolutionCost, Cost, num_pixels
from keras_hrnet.families.family import Family, LayerOptions, Shapes, first_size
from keras_hrnet.heads.fcn import classifier, joined, kernel_size_in, two_convolution_costs, two_convolutions
from keras_hrnet.heads.head import (
    AUXILIARY_LOSS_WEIGHT,
    Head,
    channels_or_none,
    head_kernel_size,
    option,
    two_channels,
    yes_or_no,
)

if TYPE_CHECKING:
    import keras


_FIRST, _LAST = "conv3x3_ocr.0.weight", "cls_head.weight"
_AUXILIARY_FIRST, _AUXILIARY_LAST = "aux_head.0.weight", "aux_head.3.weight"
_KEY = "ocr_distri_head.object_context_block.f_pixel.0.weight"


@dataclasses.dataclass(frozen=True)
class OCR(Head):
    """Joins the four maps at stride 4 and classifies each pixel by itself and by the classes in the image.

    Args:
        channels: two numbers: the channels of a pixel's features, and the channels of the keys with which pixels and
            classes are compared. With the published numbers, the head costs more than an entire small backbone; its
            authors recommend (256, 128) for HRNetW18SmallV2.
        dropout: fraction of the channels of the features that training sets to zero.
        kernel_size: height and width of the kernel of the auxiliary logits' first convolution, 1 or 3.
        auxiliary_channels: channels of the result of that convolution; None for the number of the joined maps. HRFormer
            uses 512.
        bias: whether the convolutions of the object context add a bias before their normalization. The normalization
            cancels the bias, so that the result is the same; HRFormer's files contain it.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet_ocr.py, `HighResolutionNet`; Yuan et al.,
    "Object-Contextual Representations for Semantic Segmentation", 2020.
    """

    name: ClassVar[str | None] = "ocr"
    summary: ClassVar[str] = "each pixel by itself and by the classes in the image"
    own_layer: ClassVar[str | None] = "ocr_distri_head"
    loss_weights: ClassVar[tuple[float, ...]] = (AUXILIARY_LOSS_WEIGHT,)
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^(aux_head)_0/", r"\1."),
        (r"^(aux_head)_3/", r"\1.3."),
        (r"^(cls_head|conv3x3_ocr)/", r"\1."),
        # A normalization of the object attention is also a sequence, which follows its convolution: 0, 1.0, 2, 3.0.
        (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_0/conv/", r"ocr_distri_head.object_context_block.\1.0."),
        (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_0/norm/", r"ocr_distri_head.object_context_block.\1.1.0."),
        (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_2/conv/", r"ocr_distri_head.object_context_block.\1.2."),
        (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_2/norm/", r"ocr_distri_head.object_context_block.\1.3.0."),
        (r"^ocr_distri_head/conv_bn_dropout/conv/", r"ocr_distri_head.conv_bn_dropout.0."),
        (r"^ocr_distri_head/conv_bn_dropout/norm/", r"ocr_distri_head.conv_bn_dropout.1.0."),
    )
    telling_weights: ClassVar[tuple[str, ...]] = (_FIRST, _LAST, _AUXILIARY_FIRST, _AUXILIARY_LAST, _KEY)

    channels: tuple[int, int] = option((512, 256), "ocr_channels", two_channels)
    dropout: float = option(0.05, "ocr_dropout")
    kernel_size: int = option(1, "head_kernel_size", head_kernel_size)
    auxiliary_channels: int | None = option(None, "ocr_auxiliary_channels", channels_or_none)
    bias: bool = option(False, "ocr_bias", yes_or_no)

    def logits(
        self, maps: Sequence[keras.KerasTensor], num_classes: int, options: LayerOptions
    ) -> Sequence[keras.KerasTensor]:
        return self.logits_and_features(maps, num_classes, options)[:2]

    def logits_and_features(
        self, maps: Sequence[keras.KerasTensor], num_classes: int, options: LayerOptions
    ) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
        """Connects the layers, and returns the logits, the auxiliary logits, and the features before the logits."""
        from keras_hrnet.layers import ConvNorm, ObjectContext, SpatialGather

        middle, key = self.channels
        of_layer = options.of_layer
        x = joined(maps, options)
        auxiliary = two_convolutions(x, num_classes, "aux_head", self.kernel_size, options, self.auxiliary_channels)
        pixels = ConvNorm(middle, 3, use_bias=True, name="conv3x3_ocr", **of_layer)(x)
        objects = SpatialGather(name="ocr_gather_head", **of_layer)([pixels, auxiliary])
        context = ObjectContext(middle, key, self.dropout, self.bias, name="ocr_distri_head", **of_layer)
        features = context([pixels, objects])
        return classifier(num_classes, "cls_head", options)(features), auxiliary, features

    def convolutions(self, widths: Sequence[int], num_classes: int) -> Iterator[ConvolutionCost]:
        middle, key = self.channels
        yield from two_convolution_costs(widths, num_classes, self.kernel_size, self.auxiliary_channels)
        yield ConvolutionCost(sum(widths), middle, 3, 4, bias=True)
        yield ConvolutionCost(middle, key, 1, 4, bias=self.bias)
        yield ConvolutionCost(key, key, 1, 4, bias=self.bias)
        for inputs in (middle, key, middle):  # Objects have one pixel per class.
            yield ConvolutionCost(inputs, key, 1, None, bias=self.bias, num_pixels=num_classes)
        yield ConvolutionCost(key, middle, 1, 4, bias=self.bias)
        yield ConvolutionCost(2 * middle, middle, 1, 4, bias=self.bias)
        yield ConvolutionCost(middle, num_classes, 1, 4, bias=True, norm=False)

    def cost(self, backbone: Family, num_classes: int, image_size: tuple[int, int]) -> Cost:
        middle, key = self.channels
        products = num_pixels(image_size, 4) * num_classes * (middle + 2 * key)
        return super().cost(backbone, num_classes, image_size) + Cost(0, products)

    @classmethod
    def options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None] | None:
        return cls.ocr_options_in(shapes, joined) if shapes.keys() & {_FIRST, _LAST, _KEY} else None

    @classmethod
    def ocr_options_in(cls, shapes: Shapes, joined: int) -> tuple[dict[str, Any], str | None]:
        """Reads the options of a head of this class from the shapes of the weights."""
        options = {"num_classes": first_size(shapes, _LAST, _AUXILIARY_LAST), "head": cls.name}
        if _FIRST in shapes and _KEY in shapes:
            options["ocr_channels"] = (shapes[_FIRST][0], shapes[_KEY][0])
        options |= kernel_size_in(shapes, _AUXILIARY_FIRST)
        if _AUXILIARY_FIRST in shapes and _AUXILIARY_LAST in shapes:
            # The head of HRFormer has 512, and that of openseg.pytorch's HRNet_W48_OCR_B 256.
            middle = shapes[_AUXILIARY_FIRST][0]
            if middle == shapes[_AUXILIARY_LAST][1] != joined:
                options["ocr_auxiliary_channels"] = middle
        return options, None
