"""A stage, which is a sequence of modules, each of which runs its branches in parallel and then fuses them."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.branch import Block, Branch, find_block
from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.fuse import FuseLayer
from keras_hrnet.layers.inside import call_in_order, call_inside
from keras_hrnet.layers.map_layer import FoldableLayer
from keras_hrnet.layers.rematerialization import rematerialize
from keras_hrnet.layers.resize import ResizingLayer
from keras_hrnet.layers.together import together


class ParallelModule(FoldableLayer):
    """The base class of the modules of all stages: a branch for each map, and then a layer that fuses the branches.

    A subclass creates `self.fuse`, and creates the branches in `make_branch`.

    Args:
        remat: whether training recomputes each branch and the fuse layer in the backward pass, instead of storing their
            intermediate results.
    """

    def __init__(self, *, remat: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.remat = remat
        self.branches = []

    def build(self, input_shape: Sequence[Shape]) -> None:
        self.branches = [self.make_branch(i, shape[self.channel_axis]) for i, shape in enumerate(input_shape)]
        for branch, shape in zip(self.branches, input_shape, strict=True):
            branch.build(shape)
        self.fuse.build(input_shape)

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        if self.remat and training:
            branches = zip(self.branches, inputs, strict=True)
            return rematerialize(self.fuse, [rematerialize(branch, x) for branch, x in branches])
        maps = together(self.branches, inputs, training)
        return call_inside(self.fuse, maps, training=training)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> list[Shape]:
        return self.fuse.compute_output_shape(input_shape)


class ModuleSequence(FoldableLayer):
    """The base class of all stages: it calls the modules in sequence. A subclass creates `self.modules_in_order`."""

    def build(self, input_shape: Sequence[Shape]) -> None:
        for module in self.modules_in_order:
            module.build(input_shape)

    def call(self, inputs: Sequence[keras.KerasTensor], training: bool | None = None) -> list[keras.KerasTensor]:
        return call_in_order(self.modules_in_order, inputs, training)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> list[Shape]:
        return self.modules_in_order[-1].compute_output_shape(input_shape)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class HighResolutionModule(ResizingLayer, ParallelModule):
    """Applies a branch of blocks to each map, then fuses the branches.

    Args:
        num_blocks: number of blocks in each branch.
        interpolation, align_corners: as in `ResizingLayer`; they determine how the fuse layer upsamples coarser maps.
        block: the kind of block, as in `Branch`.
        remat: whether training recomputes each branch and the fuse layer in the backward pass, instead of storing their
            intermediate results.

    Call arguments:
        inputs: a list of float `(batch, height_i, width_i, channels_i)`, finest first, each half as high and wide as
            the one before it (rounded up).

    Returns:
        A list of the same shapes, not negative.

    Raises:
        ValueError: if the number of channels of a map is not a multiple of the block's `expansion`.

    Reference: HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py, `HighResolutionModule`.
    """

    def __init__(
        self,
        num_blocks: int,
        interpolation: str = "bilinear",
        align_corners: bool = False,
        *,
        block: Block = "basic",
        remat: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, align_corners, remat=remat, **kwargs)
        self.num_blocks = num_blocks
        self.block, _ = find_block(block)
        self.fuse = FuseLayer(interpolation, align_corners, name="fuse", **self.options)

    def make_branch(self, i: int, channels: int) -> Branch:
        _, kind = find_block(self.block)
        filters, rest = divmod(channels, getattr(kind, "expansion", 1))
        if rest:
            raise ValueError(
                f"`HighResolutionModule` received a map of {channels} channels with block={self.block!r}. Expected a "
                f"multiple of the block's expansion, {kind.expansion}. Change the width of the branch."
            )
        return Branch(filters, self.num_blocks, self.block, name=f"branch_{i}", **self.options)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Stage(ResizingLayer, ModuleSequence):
    """Applies a sequence of high-resolution modules to the branches.

    Args:
        num_modules: number of modules. The other arguments, and the inputs and outputs of a call, are those of
            `HighResolutionModule`.

    Reference: Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", section 3.
    """

    def __init__(
        self,
        num_modules: int,
        num_blocks: int,
        interpolation: str = "bilinear",
        align_corners: bool = False,
        *,
        block: Block = "basic",
        remat: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, align_corners, **kwargs)
        self.num_modules = num_modules
        self.num_blocks = num_blocks
        self.block, _ = find_block(block)
        self.remat = remat
        self.modules_in_order = [
            HighResolutionModule(
                num_blocks, interpolation, align_corners, block=block, remat=remat, name=f"module_{i}", **self.options
            )
            for i in range(num_modules)
        ]
