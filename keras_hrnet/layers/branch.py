"""A branch, which is a sequence of blocks of one kind at one resolution, and the lookup of a kind of block."""

import inspect
from collections.abc import Sequence
from typing import Any, Self

import keras

from keras_hrnet.layers.data_format import Shape, with_channels
from keras_hrnet.layers.map_layer import FoldableLayer, MapLayer
from keras_hrnet.layers.rematerialization import rematerialize
from keras_hrnet.layers.residual import BasicBlock, Bottleneck, DepthwiseBottleneck
from keras_hrnet.layers.together import ParallelLayer, together

BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck, "depthwise_bottleneck": DepthwiseBottleneck}

Block = str | type[keras.layers.Layer]
"""A kind of block: a name in `BLOCKS`, a layer class registered with Keras, or the name of its registration."""


def find_block(block: Block) -> tuple[str, type[keras.layers.Layer]]:
    """Returns the name that a config stores for a kind of block, and the class of the block.

    Raises:
        ValueError: if there is no such block.
    """
    name = keras.saving.get_registered_name(block) if isinstance(block, type) else block
    kind = BLOCKS.get(name) or keras.saving.get_registered_object(name)
    if kind is None or block not in (name, kind):
        raise ValueError(
            f"Received block={block!r}. Expected one of {sorted(BLOCKS)}, or a layer class that is registered with "
            "Keras. Pass one of them, or put @keras.saving.register_keras_serializable() above the class."
        )
    return name, kind


class BlockSequence(ParallelLayer):
    """The base class of branches, which call blocks in sequence. A subclass creates `self.blocks` and `self.remat`."""

    # Whether the blocks are not layers of this package, which need all of what Keras does at each call.
    has_foreign_blocks = False

    def build(self, input_shape: Shape) -> None:
        for block in self.blocks:
            block.build(input_shape)
            input_shape = self.compute_output_shape(input_shape)

    @property
    def structure(self) -> tuple[Any, ...]:
        return len(self.blocks), self.remat, self.has_foreign_blocks

    @classmethod
    def call_together(
        cls, layers: Sequence[Self], maps: Sequence[keras.KerasTensor], training: bool | None
    ) -> list[keras.KerasTensor]:
        (branch, *_) = layers
        for blocks in zip(*(branch.blocks for branch in layers), strict=True):
            if branch.remat and training:
                maps = [rematerialize(block, x) for block, x in zip(blocks, maps, strict=True)]
            elif branch.has_foreign_blocks:
                maps = [block(x, training=training) for block, x in zip(blocks, maps, strict=True)]
            else:
                maps = together(blocks, maps, training)
        return maps


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Branch(BlockSequence):
    """Applies a sequence of blocks to a map at one resolution.

    The class of a block is called as `kind(filters, data_format=…, dtype=…, name=…)`, and with `folded=…` if it takes
    that argument, as a `FoldableLayer` does; any other block is not folded. A block creates its weights in `build`, and
    preserves height and width. Its result has `kind.expansion` times `filters` channels, or `filters` if the class has
    no such attribute.

    Args:
        filters: channels of the blocks; a bottleneck's result has four times as many.
        num_blocks: number of blocks.
        block: the kind of block; see `Block`.
        remat: whether training recomputes each block in the backward pass, instead of storing its intermediate results.

    Call arguments:
        x: float `(batch, height, width, channels)`.

    Returns:
        float `(batch, height, width, filters)`, or `expansion` times `filters`.

    Raises:
        ValueError: if there is no such block.

    Example:

    >>> import keras
    >>> from keras_hrnet.layers import Branch, ConvNorm, FoldableLayer
    >>> @keras.saving.register_keras_serializable(package="example")
    ... class Plain(FoldableLayer):
    ...     def __init__(self, filters, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.filters = filters
    ...         self.convolution = ConvNorm(filters, 3, name="convolution", **self.options)
    ...     def build(self, input_shape):
    ...         self.convolution.build(input_shape)
    ...     def call(self, x, training=None):
    ...         return self.convolution(x, training=training)
    >>> branch = Branch(16, 3, Plain, data_format="channels_last")
    >>> branch.block, branch.compute_output_shape((None, 32, 32, 8))
    ('example>Plain', (None, 32, 32, 16))
    """

    def __init__(
        self, filters: int, num_blocks: int, block: Block = "basic", *, remat: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.num_blocks = num_blocks
        self.block, kind = find_block(block)
        self.remat = remat
        self.expansion = getattr(kind, "expansion", 1)
        options = self.options
        if not (issubclass(kind, FoldableLayer) or "folded" in inspect.signature(kind.__init__).parameters):
            del options["folded"]
        self.blocks = [kind(filters, name=f"block_{i}", **options) for i in range(num_blocks)]
        is_ours = issubclass(kind, MapLayer) and "training" in inspect.signature(kind.call).parameters
        self.has_foreign_blocks = not is_ours

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return with_channels(input_shape, self.filters * self.expansion, self.data_format)
