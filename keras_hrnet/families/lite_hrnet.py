"""Lite-HRNet: the published networks, one row each, and the backbone that is built from a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.architecture import LITE_BLOCKS
from keras_hrnet.families.counting import ConvolutionCost, depthwise, fuse, separable
from keras_hrnet.families.family import Family, LayerOptions, Shapes, first_size, num_matching

if TYPE_CHECKING:
    import keras


STEM_FILTERS = 32
REDUCTION = 8
SPATIAL_REDUCTION = 4

_MODULE = r"^lite_stage(\d)_module_(\d+)"
_WEIGHTING = rf"{_MODULE}/block_(\d+)"


@dataclasses.dataclass(frozen=True)
class LiteVariant(Family):
    """The widths and depths of a Lite-HRNet.

    Args:
        name: name of the network, in a summary and in errors.
        width: channels of the finest branch, an even number; each coarser branch has twice as many.
        modules: numbers of modules of the stages with two, three and four branches.
        blocks: number of blocks of each module.
        block: "weighting" for conditional channel weighting, "shuffle" for the shuffle units of the naive networks.

    Raises:
        ValueError: if a number is less than 1, `width` is odd, `modules` does not contain three numbers, or the block
            does not exist.
    """

    layer_pattern: ClassVar[str] = r"^lite_(stem|transition\d|stage\d_module_\d+)/"
    weight_pattern: ClassVar[str] = r"^(stem|transition[012]|stage[012])\."
    # HRNet/Lite-HRNet, models/backbones/litehrnet.py, `LiteHRNet`.
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^lite_stem/branch1/spatial/", r"stem.branch1.0./"),
        (r"^lite_stem/branch1/pointwise/", r"stem.branch1.1./"),
        (r"^lite_stem/(\w+)/", r"stem.\1./"),
        (r"^lite_transition(\d)/branch_(\d)/", r"transition\1.\2/"),
        (r"^lite_transition(\d)/new_(\d)/", r"transition\1.\2.0/"),
        (rf"{_MODULE}/fuse/up_(\d)_(\d)/", r"stage\1.\2.fuse_layers.\3.\4."),
        (rf"{_MODULE}/fuse/down_(\d)_(\d)_(\d)(?=_)", r"stage\1.\2.fuse_layers.\3.\4.\5"),
        (rf"{_WEIGHTING}/(cross_resolution_weighting)/(\w+)/", r"stage\1.\2.layers.\3.\4.\5./"),
        (rf"{_WEIGHTING}/(depthwise_convs)_(\d)/", r"stage\1.\2.layers.\3.\4.\5./"),
        (rf"{_WEIGHTING}/(spatial_weighting)_(\d)/(\w+)/", r"stage\1.\2.layers.\3.\4.\5.\6.conv."),
        (rf"{_MODULE}/branch_(\d)/block_(\d+)/conv(\d)/", r"stage\1.\2.layers.\3.\4.branch2.\5./"),
    )
    weight_parts: ClassVar[tuple[tuple[str, str], ...]] = (
        # A name above that ends with "./" is of mmcv's `ConvModule`, which contains `conv` and `bn`.
        (r"\./(?:conv|depthwise)/$", r".conv."),
        (r"\./norm/$", r".bn."),
        # A separable convolution is a sequence: 3x3, norm, 1x1, norm.
        (r"[_/]spatial/depthwise/$", r".0."),
        (r"[_/]spatial/norm/$", r".1."),
        (r"[_/]pointwise/conv/$", r".2."),
        (r"[_/]pointwise/norm/$", r".3."),
    )
    reference: ClassVar[str] = 'Yu et al., "Lite-HRNet: A Lightweight High-Resolution Network", 2021.'
    default_head: ClassVar[str] = "iterative"

    name: str
    width: int = 40
    modules: tuple[int, int, int] = (2, 4, 2)
    blocks: int = 2
    block: str = "weighting"

    def __post_init__(self):
        self.check_counts()
        if self.width % 2:
            raise ValueError(
                f"`LiteVariant` received width={self.width}. Expected an even number, because a block divides the "
                f"channels into halves. Pass width={self.width + 1}."
            )
        if self.block not in LITE_BLOCKS:
            raise ValueError(
                f"`LiteVariant` received block={self.block!r}. Expected one of {LITE_BLOCKS}. Pass one of them."
            )

    def connect(self, image: keras.KerasTensor, options: LayerOptions) -> list[keras.KerasTensor]:
        from keras_hrnet.layers import LiteModule, LiteStem, LiteTransition, Normalize

        of_layer = options.of_layer
        x = Normalize(name="normalize", **options.of_normalization)(image)
        maps = [LiteStem(STEM_FILTERS, name="lite_stem", **of_layer)(x)]
        for stage, num_modules in enumerate(self.modules):
            maps = LiteTransition(self.widths[: stage + 2], name=f"lite_transition{stage}", **of_layer)(maps)
            for i in range(num_modules):
                name = f"lite_stage{stage}_module_{i}"
                maps = LiteModule(self.blocks, self.block, remat=options.remat, name=name, **of_layer)(maps)
        return maps

    def convolutions(self) -> Iterator[ConvolutionCost]:
        half = STEM_FILTERS // 2
        yield ConvolutionCost(3, STEM_FILTERS, 3, 2)
        yield from separable(half, half, 4)
        yield ConvolutionCost(half, STEM_FILTERS, 1, 2)
        yield from separable(STEM_FILTERS, half, 4)
        if self.width != STEM_FILTERS:
            yield from separable(STEM_FILTERS, self.width, 4)
        last = STEM_FILTERS
        for stage, num_modules in enumerate(self.modules):
            widths = self.widths[: stage + 2]
            yield from separable(last, widths[-1], 4 * 2 ** (stage + 1))
            last = widths[-1]
            for _ in range(num_modules):
                for _ in range(self.blocks):
                    yield from (_weighting(widths) if self.block == "weighting" else _units(widths))
                yield from fuse(widths, separable)

    @classmethod
    def sizes_in(cls, shapes: Shapes) -> dict[str, Any]:
        units = num_matching(shapes, r"stage0\.0\.layers\.0\.(\d+)\.branch2\.")
        return {
            "width": first_size(shapes, "stage0.0.fuse_layers.0.1.0.weight"),
            "modules": tuple(num_matching(shapes, rf"stage{stage}\.(\d+)\.") for stage in range(3)),
            "blocks": units or num_matching(shapes, r"stage0\.0\.layers\.(\d+)\."),
            "block": "shuffle" if units else "weighting",
        }


def _weighting(widths: tuple[int, ...]) -> Iterator[ConvolutionCost]:
    halves = [width // 2 for width in widths]
    total, coarsest = sum(halves), 4 * 2 ** (len(widths) - 1)
    yield ConvolutionCost(total, total // REDUCTION, 1, coarsest)
    yield ConvolutionCost(total // REDUCTION, total, 1, coarsest)
    for i, half in enumerate(halves):
        yield depthwise(half, 4 * 2**i)
        hidden = half // SPATIAL_REDUCTION
        for inputs, outputs in ((half, hidden), (hidden, half)):
            yield ConvolutionCost(inputs, outputs, 1, None, bias=True, norm=False, num_pixels=1)


def _units(widths: tuple[int, ...]) -> Iterator[ConvolutionCost]:
    for i, width in enumerate(widths):
        half, stride = width // 2, 4 * 2**i
        yield ConvolutionCost(half, half, 1, stride)
        yield from separable(half, half, stride)


# HRNet/Lite-HRNet, configs/top_down/{lite_hrnet,naive_litehrnet}/coco.
LITE_HRNETS = (
    LiteVariant("LiteHRNet18"),
    LiteVariant("LiteHRNet30", modules=(3, 8, 3)),
    LiteVariant("LiteHRNetNaive18", 30, block="shuffle"),
    LiteVariant("LiteHRNetWiderNaive18", 40, block="shuffle"),
)
"""The four published networks."""
