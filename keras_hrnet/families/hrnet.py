"""HRNet: the published networks, one row each, and the backbone that is built from a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from keras_hrnet.families.counting import ConvolutionCost, HasCost, bottleneck, convolution_3x3, fuse
from keras_hrnet.families.family import Family, LayerOptions, Shapes, first_size, num_matching

if TYPE_CHECKING:
    import keras


STEM_FILTERS = 64


class HighResolutionFamily(Family):
    """The parts common to HRNet and HRFormer: stem, first stage of bottlenecks, and transitions between the stages.

    A subclass creates the layer of each later stage in `stage_layer`.
    """

    stage1_blocks: int
    """Number of bottlenecks of the first stage."""

    stage1_filters: int
    """Inner channels of these bottlenecks; their result has four times as many."""

    layer_pattern: ClassVar[str] = r"^(stem|layer1|transition\d|stage\d)/"
    weight_pattern: ClassVar[str] = r"^(conv[12]|bn[12]|layer1|transition[123]|stage[234])\."
    # HRNet-Semantic-Segmentation and HRNet-Image-Classification, lib/models, `HighResolutionNet`.
    weight_names: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^stem/", r""),
        (r"^(layer1)/block_(\d+)/", r"\1.\2."),
        # In the reference, the new branch of a transition is a sequence, which adds an index.
        (r"^transition(\d)/branch_\1/", r"transition\1.\1.0."),
        (r"^transition(\d)/branch_(\d)/", r"transition\1.\2."),
        (r"^stage(\d)/module_(\d+)/branch_(\d)/block_(\d+)/", r"stage\1.\2.branches.\3.\4."),
        (r"^stage(\d)/module_(\d+)/fuse/up_(\d)_(\d)/", r"stage\1.\2.fuse_layers.\3.\4."),
        (r"^stage(\d)/module_(\d+)/fuse/down_(\d)_(\d)_(\d)/", r"stage\1.\2.fuse_layers.\3.\4.\5."),
    )

    def connect(self, image: keras.KerasTensor, options: LayerOptions) -> list[keras.KerasTensor]:
        from keras_hrnet.layers import Branch, Normalize, Stem, Transition

        # HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `HighResolutionNet.forward`.
        of_layer = options.of_layer
        x = Normalize(name="normalize", **options.of_normalization)(image)
        x = Stem(STEM_FILTERS, name="stem", **of_layer)(x)
        bottlenecks = self.stage1_filters, self.stage1_blocks, "bottleneck"
        maps = [Branch(*bottlenecks, remat=options.remat, name="layer1", **of_layer)(x)]
        for stage in (2, 3, 4):
            maps = Transition(self.widths[:stage], name=f"transition{stage - 1}", **of_layer)(maps)
            maps = self.stage_layer(stage, options)(maps)
        return maps

    def stage_layer(self, stage: int, options: LayerOptions) -> keras.layers.Layer:
        """Returns the layer of stage 2, 3 or 4."""
        raise NotImplementedError

    def convolutions_around(self, module: Callable[[tuple[int, ...]], Iterator[HasCost]]) -> Iterator[HasCost]:
        """Lists the convolutions of stem, first stage and transitions, and those of each module, using `module`."""
        yield ConvolutionCost(3, STEM_FILTERS, 3, 2)
        yield ConvolutionCost(STEM_FILTERS, STEM_FILTERS, 3, 4)
        channels = STEM_FILTERS
        for _ in range(self.stage1_blocks):
            yield from bottleneck(channels, self.stage1_filters, 4)
            channels = self.stage1_filters * 4
        yield ConvolutionCost(channels, self.width, 3, 4)
        for stage, num_modules in enumerate(self.modules, 2):
            widths = self.widths[:stage]
            yield ConvolutionCost(channels if stage == 2 else widths[-2], widths[-1], 3, 4 * 2 ** (stage - 1))
            for _ in range(num_modules):
                yield from module(widths)

    @classmethod
    def depths_in(cls, shapes: Shapes) -> dict[str, Any]:
        """Reads the first stage and the depths of the other stages from the shapes of the weights."""
        return {
            "stage1_blocks": num_matching(shapes, r"layer1\.(\d+)\."),
            "stage1_filters": first_size(shapes, "layer1.0.conv1.weight", "layer1.0.conv2.weight"),
            "modules": tuple(num_matching(shapes, rf"stage{stage}\.(\d+)\.") for stage in (2, 3, 4)),
            "blocks": num_matching(shapes, r"stage2\.0\.branches\.0\.(\d+)\."),
        }


@dataclasses.dataclass(frozen=True)
class Variant(HighResolutionFamily):
    """The widths and depths of an HRNet.

    Args:
        name: name of the network, in a summary and in errors.
        width: channels of the finest branch; each coarser branch has twice as many.
        stage1_blocks: number of bottlenecks of the first stage.
        stage1_filters: inner channels of these bottlenecks; their result has four times as many.
        modules: numbers of modules of stages 2, 3 and 4.
        blocks: number of blocks in each branch of each of these modules.
        block: the kind of these blocks: "basic", or a custom layer class; see `keras_hrnet.layers.Branch`.

    Raises:
        ValueError: if a number is less than 1, or `modules` does not contain three numbers.
    """

    reference: ClassVar[str] = (
        'Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", 2019.'
    )

    name: str
    width: int
    stage1_blocks: int = 4
    stage1_filters: int = 64
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4
    block: str | type[keras.layers.Layer] = "basic"

    def __post_init__(self):
        self.check_counts(self.stage1_blocks, self.stage1_filters)

    def stage_layer(self, stage: int, options: LayerOptions) -> keras.layers.Layer:
        from keras_hrnet.layers import Stage

        of_blocks = {"block": self.block, "remat": options.remat}
        return Stage(self.modules[stage - 2], self.blocks, name=f"stage{stage}", **of_blocks, **options.of_resizing)

    def convolutions(self) -> Iterator[HasCost]:
        if self.block != "basic":
            raise ValueError(
                f"Received the network {self.name!r} with block={self.block!r}. Expected 'basic', whose convolutions "
                "are known. Count custom blocks with `model.count_params()`."
            )
        yield from self.convolutions_around(lambda widths: _module(widths, self.blocks))

    @classmethod
    def sizes_in(cls, shapes: Shapes) -> dict[str, Any]:
        names = "stage2.0.branches.0.0.conv1.weight", "stage2.0.branches.0.0.conv2.weight"
        return {"width": first_size(shapes, *names), **cls.depths_in(shapes)}


def _module(widths: tuple[int, ...], num_blocks: int) -> Iterator[ConvolutionCost]:
    for i, width in enumerate(widths):
        yield from [ConvolutionCost(width, width, 3, 4 * 2**i)] * (2 * num_blocks)
    yield from fuse(widths, convolution_3x3)


# HRNet-Image-Classification, experiments/cls_hrnet_w*.yaml; HRNet-Semantic-Segmentation, branch pytorch-v1.1,
# experiments/cityscapes/seg_hrnet_w18_small_v{1,2}_*.yaml. "W18 Small" is published as w18_small_v1 and is 16 wide.
HRNETS = (
    Variant("HRNetW18Small", 16, stage1_blocks=1, stage1_filters=32, modules=(1, 1, 1), blocks=2),
    Variant("HRNetW18SmallV2", 18, stage1_blocks=2, modules=(1, 3, 2), blocks=2),
    *(Variant(f"HRNetW{width}", width) for width in (18, 30, 32, 40, 44, 48, 64)),
)
"""The nine published networks."""
