"""What a network costs, counted from its row alone: parameters and multiplications, without building it."""

import dataclasses
import math

from keras_hrnet.models.heads import CLASSIFICATION_FEATURES, CLASSIFICATION_FILTERS

STEM_FILTERS = 64
SCALE_ATTENTION_FILTERS = 256


@dataclasses.dataclass(frozen=True)
class Cost:
    """The size of a network and the work of one pass through it.

    Args:
        parameters: trainable numbers: kernels, biases, and the scale and shift of every normalisation.
        multiplications: multiplications of convolutions, dense layers and attention for one image, each with its
            addition; what the papers print as "GFLOPs" is this number divided by 2 ** 30.
    """

    parameters: int
    multiplications: int


@dataclasses.dataclass(frozen=True)
class _Convolution:
    """One convolution: its channels, its kernel's side, its result's stride or number of pixels, and what follows."""

    inputs: int
    outputs: int
    side: int
    stride: int | None
    bias: bool = False
    norm: bool = True
    num_pixels: int | None = None

    def parameters(self):
        return self.outputs * (self.inputs * self.side**2 + self.bias + 2 * self.norm)

    def multiplications(self, image_size):
        pixels = self.num_pixels or math.prod(math.ceil(length / self.stride) for length in image_size)
        return pixels * self.inputs * self.outputs * self.side**2


def cost(
    variant,
    num_classes=19,
    *,
    head="fcn",
    image_size=(512, 1024),
    ocr_channels=(512, 256),
    scales=(0.5, 1.0),
    isa_channels=(512, 256),
    isa_block_size=(8, 8),
    head_kernel_size=1,
):
    """Counts the parameters and multiplications of a network.

    Args:
        variant: a `Variant`.
        num_classes: classes that logits are given for.
        head: as in `HRNet`.
        image_size: (height, width) of the image, in pixels.
        ocr_channels: as in `HRNet`.
        scales: as in `HRNet`.
        isa_channels: as in `HRNet`.
        isa_block_size: as in `HRNet`.
        head_kernel_size: as in `HRNet`.

    Returns:
        A `Cost`: of what inference computes. The auxiliary logits of "isa" are parameters and no work.
    """
    convolutions, unused = list(_backbone(variant)), []
    dense = 0
    if head == "fcn":
        convolutions += _two_convolutions(variant, num_classes, head_kernel_size)
    elif head in ("ocr", "hierarchical"):
        convolutions += _two_convolutions(variant, num_classes, head_kernel_size)
        convolutions += _ocr_head(variant, num_classes, *ocr_channels)
    elif head == "isa":
        unused += _two_convolutions(variant, num_classes, head_kernel_size)
        convolutions += _isa_head(variant, num_classes, *isa_channels)
    elif head == "classification":
        convolutions += _classification_head(variant)
        dense = CLASSIFICATION_FEATURES * num_classes

    if head == "hierarchical":
        attention = list(_scale_attention(ocr_channels[0]))
        unused += attention
        sizes = [tuple(int(length * scale) for length in image_size) for scale in sorted(scales)]
    else:
        attention, sizes = [], [image_size]

    multiplications = dense
    for size in sizes:
        multiplications += sum(x.multiplications(size) for x in convolutions)
        if head in ("ocr", "hierarchical"):
            multiplications += _object_products(size, num_classes, *ocr_channels)
        if head == "isa":
            multiplications += _interlaced_products(size, *isa_channels, isa_block_size)
    # The largest scale asks for no attention.
    multiplications += sum(x.multiplications(size) for size in sizes[:-1] for x in attention)
    parameters = sum(x.parameters() for x in convolutions + unused) + (dense + num_classes if dense else 0)
    return Cost(parameters, multiplications)


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


def _two_convolutions(variant, num_classes, side):
    channels = sum(variant.widths)
    yield _Convolution(channels, channels, side, 4, bias=True)
    yield _Convolution(channels, num_classes, 1, 4, bias=True, norm=False)


def _ocr_head(variant, num_classes, middle, key):
    yield _Convolution(sum(variant.widths), middle, 3, 4, bias=True)
    yield _Convolution(middle, key, 1, 4)
    yield _Convolution(key, key, 1, 4)
    # Objects are one pixel a class.
    yield _Convolution(middle, key, 1, None, num_pixels=num_classes)
    yield _Convolution(key, key, 1, None, num_pixels=num_classes)
    yield _Convolution(middle, key, 1, None, num_pixels=num_classes)
    yield _Convolution(key, middle, 1, 4)
    yield _Convolution(2 * middle, middle, 1, 4)
    yield _Convolution(middle, num_classes, 1, 4, bias=True, norm=False)


def _object_products(image_size, num_classes, middle, key):
    return _pixels_at_stride_4(image_size) * num_classes * (middle + 2 * key)


def _interlaced_products(image_size, filters, key, block_size):
    pixels = math.prod(
        math.ceil(math.ceil(length / 4) / step) * step for length, step in zip(image_size, block_size, strict=True)
    )
    in_block = math.prod(block_size)
    return pixels * (pixels // in_block + in_block) * (key + filters)


def _pixels_at_stride_4(image_size):
    return math.prod(math.ceil(length / 4) for length in image_size)


def _scale_attention(middle):
    yield _Convolution(middle, SCALE_ATTENTION_FILTERS, 3, 4)
    yield _Convolution(SCALE_ATTENTION_FILTERS, SCALE_ATTENTION_FILTERS, 3, 4)
    yield _Convolution(SCALE_ATTENTION_FILTERS, 1, 1, 4, norm=False)


def _isa_head(variant, num_classes, filters, key):
    yield _Convolution(sum(variant.widths), filters, 3, 4)
    for _ in ("across blocks", "within a block"):
        for _ in ("query", "key"):
            yield _Convolution(filters, key, 1, 4)
            yield _Convolution(key, key, 1, 4)
        yield _Convolution(filters, filters, 1, 4, norm=False)
        yield _Convolution(filters, filters, 1, 4)
    yield _Convolution(2 * filters, filters, 1, 4)
    yield _Convolution(filters, num_classes, 1, 4, bias=True, norm=False)


def _classification_head(variant):
    for i, (width, filters) in enumerate(zip(variant.widths, CLASSIFICATION_FILTERS, strict=True)):
        yield from _bottleneck(width, filters, 4 * 2**i)
        if i < 3:
            yield _Convolution(4 * filters, 4 * CLASSIFICATION_FILTERS[i + 1], 3, 4 * 2 ** (i + 1), bias=True)
    yield _Convolution(4 * CLASSIFICATION_FILTERS[-1], CLASSIFICATION_FEATURES, 1, 32, bias=True)
