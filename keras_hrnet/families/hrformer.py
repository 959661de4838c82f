"""HRFormer, which is HRNet with transformer blocks in its branches: the published networks, one row each."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.architecture import EXPANSION
from keras_hrnet.families.counting import ConvolutionCost, Cost, HasCost, count, depthwise, fuse, separable
from keras_hrnet.families.family import LayerOptions, Shapes, first_size
from keras_hrnet.families.hrnet import HighResolutionFamily

if TYPE_CHECKING:
    import keras


_BLOCK = "stage2.0.branches.0.0."
_TABLE = f"{_BLOCK}attn.attn.relative_position_bias_table"
_PROJECTION = f"{_BLOCK}attn.attn.out_proj.weight"
_DOWN = r"^stage(\d)/module_(\d+)/fuse/down_(\d)_(\d)_(\d)"
_THEIR_DOWN = r"stage\1.\2.fuse_layers.\3.\4.\5."

# Scripts run_hrt_*_ocr_v2_ohem.sh; seg/lib/models/nets/hrt.py, `HRT_SMALL_OCR_V2`: a 3x3 auxiliary head of 512.
_OCR = {"head_kernel_size": 3, "ocr_auxiliary_channels": 512, "ocr_bias": True}

# The value by network and head, if it is not 0: cls/configs/hrt/*.yaml and seg/lib/models/backbones/hrt/hrt_config.py.
_DROP_PATHS = {"HRFormerSmall": {None: 0.2}, "HRFormerBase": {None: 0.2, "classification": 0.2}}


@dataclasses.dataclass(frozen=True)
class HRFormerVariant(HighResolutionFamily):
    """The widths, heads and depths of an HRFormer.

    Args:
        name: name of the network, in a summary and in errors.
        width: channels of the finest branch; each coarser branch has twice as many.
        num_heads: attention heads in the finest branch; each coarser branch has twice as many.
        stage1_blocks: number of bottlenecks of the first stage.
        stage1_filters: inner channels of these bottlenecks; their result has four times as many.
        modules: numbers of modules of stages 2, 3 and 4.
        blocks: number of transformer blocks in each branch of each of these modules.
        window_size: height and width of the windows of attention, in pixels of each map.
        drop_path: fraction of the samples for which training skips the parts of the last block; it increases linearly
            from 0 in the first block. None for 0.

    Raises:
        ValueError: if a number is less than 1, `width` is not a multiple of `num_heads`, `modules` does not contain
            three numbers, or `drop_path` is not in [0, 1).
    """

    # HRNet/HRFormer, seg/lib/models/backbones/hrt/hrt_backbone.py: a step of the fuse layer is 3x3, norm, 1x1, norm.
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        *HighResolutionFamily.weight_names,
        (f"{_DOWN}_spatial/", _THEIR_DOWN),
        (f"{_DOWN}_pointwise/conv/", f"{_THEIR_DOWN}2."),
        (f"{_DOWN}_pointwise/norm/", f"{_THEIR_DOWN}3."),
    )
    weight_parts: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"attn/(?:([a-z]+_proj)/)?$", lambda match: f"attn.attn.{match[1]}." if match[1] else "attn.attn."),
        (r"mlp/(fc1|dw3x3|fc2)/(?:conv|depthwise)/$", r"mlp.\1."),
        (r"mlp/fc1/norm/$", "mlp.norm1."),
        (r"mlp/dw3x3/norm/$", "mlp.norm2."),
        (r"mlp/fc2/norm/$", "mlp.norm3."),
        (r"norm([12])/$", r"norm\1."),
    )
    reference: ClassVar[str] = (
        'Yuan et al., "HRFormer: High-Resolution Transformer for Dense Prediction", 2021; HRNet/HRFormer on GitHub.'
    )
    default_head: ClassVar[str] = "ocr"
    head_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ocr": _OCR,
        "hierarchical": _OCR,
        "classification": {"depthwise_head": True},
    }
    align_corners: ClassVar[bool] = True
    arguments: ClassVar[Mapping[str, str]] = {
        "window_size": "height and width of the windows of attention, in pixels of each map.",
        "drop_path": (
            "share of the samples for which training leaves out the parts of the last block; it grows\n"
            "        linearly from 0 in the first block. None for the published share: 0.2 for HRFormerBase, and for\n"
            "        HRFormerSmall except under a head for classification; 0 for the others."
        ),
    }

    name: str
    width: int
    num_heads: int = 1
    stage1_blocks: int = 2
    stage1_filters: int = 64
    modules: tuple[int, int, int] = (1, 4, 2)
    blocks: int = 2
    window_size: int = 7
    drop_path: float | None = None

    def __post_init__(self):
        self.check_counts(self.num_heads, self.stage1_blocks, self.stage1_filters, self.window_size)
        if self.width % self.num_heads:
            raise ValueError(
                f"Received {self}. Expected a width that is a multiple of num_heads. Change width or num_heads."
            )
        if self.drop_path is not None and not 0 <= self.drop_path < 1:
            raise ValueError(
                f"`{self.name}` received drop_path={self.drop_path!r}. Expected a number of at least 0 and below 1, or "
                "None. Pass, for example, 0 or 0.2, as published."
            )

    @property
    def heads(self) -> tuple[int, int, int, int]:
        """The numbers of attention heads in the four branches, finest first."""
        return tuple(self.num_heads * 2**i for i in range(4))

    def stage_layer(self, stage: int, options: LayerOptions) -> keras.layers.Layer:
        from keras_hrnet.layers import TransformerStage

        of_blocks = self.heads[:stage], self.window_size, self.drop_paths[stage - 2]
        return TransformerStage(*of_blocks, remat=options.remat, name=f"stage{stage}", **options.of_layer)

    @property
    def drop_paths(self) -> list[list[list[float]]]:
        """The fraction of samples that stochastic depth skips, for each block of each module of stages 2, 3 and 4."""
        import numpy as np

        rates = iter(np.linspace(0, self.drop_path or 0, sum(self.modules) * self.blocks).tolist())
        return [[list(itertools.islice(rates, self.blocks)) for _ in range(num)] for num in self.modules]

    def with_arguments(self, head: str | None, arguments: Mapping[str, Any]) -> HRFormerVariant:
        published = _DROP_PATHS.get(self.name, {})
        rate = published.get(head if head == "classification" else None, 0.0)
        return super().with_arguments(
            head, {"drop_path": rate, **{k: x for k, x in arguments.items() if x is not None}}
        )

    def convolutions(self) -> Iterator[HasCost]:
        yield from self.convolutions_around(self._module)

    def _module(self, widths: tuple[int, ...]) -> Iterator[HasCost]:
        for i, width in enumerate(widths):
            yield from [BlockCost(width, self.heads[i], self.window_size, 4 * 2**i)] * self.blocks
        yield from fuse(widths, separable)

    def sizes(self) -> dict[str, Any]:
        return {name: value for name, value in super().sizes().items() if name != "drop_path"}

    @classmethod
    def sizes_in(cls, shapes: Shapes) -> dict[str, Any]:
        entries, num_heads = shapes.get(_TABLE, (0, 0))
        return {
            "width": first_size(shapes, _PROJECTION),
            "num_heads": num_heads,
            **cls.depths_in(shapes),
            "window_size": (math.isqrt(entries) + 1) // 2,
        }


@dataclasses.dataclass(frozen=True)
class BlockCost:
    """A transformer block whose cost is counted.

    Args:
        channels: channels of the map.
        num_heads: heads of the attention.
        window_size: height and width of the windows.
        stride: stride of the map with respect to the image.
    """

    channels: int
    num_heads: int
    window_size: int
    stride: int

    def cost(self, image_size: tuple[int, int]) -> Cost:
        """Counts the cost for an image of (height, width) pixels. For attention, maps are padded to whole windows."""
        sides = [math.ceil(math.ceil(length / self.stride) / self.window_size) for length in image_size]
        pixels = math.prod(sides) * self.window_size**2
        projection = ConvolutionCost(self.channels, self.channels, 1, None, bias=True, norm=False, num_pixels=pixels)
        inner = self.channels * EXPANSION
        convolutions = (
            *[projection] * 4,
            ConvolutionCost(self.channels, inner, 1, self.stride, bias=True),
            depthwise(inner, self.stride, bias=True),
            ConvolutionCost(inner, self.channels, 1, self.stride, bias=True),
        )
        norms, table = 4 * self.channels, self.num_heads * (2 * self.window_size - 1) ** 2
        products = 2 * pixels * self.window_size**2 * self.channels
        return count(convolutions, image_size) + Cost(norms + table, products)


# cls/configs/hrt/hrt_{tiny,small,base}.yaml; seg/lib/models/backbones/hrt/hrt_config.py.
HRFORMERS = (
    HRFormerVariant("HRFormerTiny", 18, modules=(1, 3, 2)),
    HRFormerVariant("HRFormerSmall", 32),
    HRFormerVariant("HRFormerBase", 78, num_heads=2),
)
"""The three published networks."""
