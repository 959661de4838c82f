"""What a network costs, counted from its row alone: parameters and multiplications, without building it."""

import dataclasses
import math

from keras_hrnet.models.heads import CLASSIFICATION_FEATURES, CLASSIFICATION_FILTERS

STEM_FILTERS = 64


@dataclasses.dataclass(frozen=True)
class Cost:
    """The size of a network and the work of one pass through it.

    Args:
        parameters: trainable numbers: kernels, biases, and the scale and shift of every normalisation.
        multiplications: multiplications of convolutions and dense layers for one image, each with its addition; what
            the papers print as "GFLOPs" is this number divided by 2 ** 30.
    """

    parameters: int
    multiplications: int


@dataclasses.dataclass(frozen=True)
class _Convolution:
    """One convolution: its channels, its kernel's side, the stride of its *result*, and what follows it."""

    inputs: int
    outputs: int
    side: int
    stride: int
    bias: bool = False
    norm: bool = True

    def parameters(self):
        return self.outputs * (self.inputs * self.side**2 + self.bias + 2 * self.norm)

    def multiplications(self, image_size):
        height, width = (math.ceil(length / self.stride) for length in image_size)
        return height * width * self.inputs * self.outputs * self.side**2


def cost(variant, num_classes=19, *, head="fcn", image_size=(512, 1024)):
    """Counts the parameters and multiplications of a network.

    Args:
        variant: a `Variant`.
        num_classes: classes that logits are given for.
        head: "fcn", "classification" or None.
        image_size: (height, width) of the image, in pixels.

    Returns:
        A `Cost`.
    """
    convolutions = list(_backbone(variant))
    dense = 0
    if head == "fcn":
        convolutions += _fcn_head(variant, num_classes)
    elif head == "classification":
        convolutions += _classification_head(variant)
        dense = CLASSIFICATION_FEATURES * num_classes
    return Cost(
        sum(x.parameters() for x in convolutions) + (dense + num_classes if dense else 0),
        sum(x.multiplications(image_size) for x in convolutions) + dense,
    )


def _backbone(variant):
    yield _Convolution(3, STEM_FILTERS, 3, 2)
    yield _Convolution(STEM_FILTERS, STEM_FILTERS, 3, 4)
    channels = STEM_FILTERS
    for _ in range(variant.stage1_blocks):
        yield from _bottleneck(channels, variant.stage1_filters, 4)
        channels = variant.stage1_filters * 4
    yield _Convolution(channels, variant.width, 3, 4)
    for stage, num_modules in enumerate(variant.modules, 2):
        widths = variant.widths[:stage]
        yield _Convolution(channels if stage == 2 else widths[-2], widths[-1], 3, 4 * 2 ** (stage - 1))
        for _ in range(num_modules):
            yield from _module(widths, variant.blocks)


def _module(widths, num_blocks):
    for i, width in enumerate(widths):
        yield from [_Convolution(width, width, 3, 4 * 2**i)] * (2 * num_blocks)
    for i, target in enumerate(widths):
        for j, source in enumerate(widths):
            if j > i:
                yield _Convolution(source, target, 1, 4 * 2**j)
            for step in range(j + 1, i + 1):
                yield _Convolution(source, target if step == i else source, 3, 4 * 2**step)


def _bottleneck(channels, filters, stride):
    if channels != 4 * filters:
        yield _Convolution(channels, 4 * filters, 1, stride)
    yield _Convolution(channels, filters, 1, stride)
    yield _Convolution(filters, filters, 3, stride)
    yield _Convolution(filters, 4 * filters, 1, stride)


def _fcn_head(variant, num_classes):
    channels = sum(variant.widths)
    yield _Convolution(channels, channels, 1, 4, bias=True)
    yield _Convolution(channels, num_classes, 1, 4, bias=True, norm=False)


def _classification_head(variant):
    for i, (width, filters) in enumerate(zip(variant.widths, CLASSIFICATION_FILTERS, strict=True)):
        yield from _bottleneck(width, filters, 4 * 2**i)
        if i < 3:
            yield _Convolution(4 * filters, 4 * CLASSIFICATION_FILTERS[i + 1], 3, 4 * 2 ** (i + 1), bias=True)
    yield _Convolution(4 * CLASSIFICATION_FILTERS[-1], CLASSIFICATION_FEATURES, 1, 32, bias=True)
