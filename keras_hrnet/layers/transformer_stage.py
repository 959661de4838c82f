"""The stages of HRFormer, which consist of modules of transformer blocks, each with a separable fuse layer."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.branch import BlockSequence
from keras_hrnet.layers.data_format import Shape
from keras_hrnet.layers.fuse import SeparableFuse
from keras_hrnet.layers.stage import ModuleSequence, ParallelModule
from keras_hrnet.layers.transformer import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_hrnet")
class TransformerBranch(BlockSequence):
    """Applies a sequence of transformer blocks to a map.

    Args:
        num_heads: number of heads of the attention in each block.
        window_size: height and width of a window, in pixels of the map.
        drop_paths: for each block, the fraction of the samples for which training skips its parts.
        remat: whether training recomputes each block in the backward pass, instead of storing its intermediate results.

    Call arguments:
        x: float `(batch, height, width, channels)`, of any height and width.

    Returns:
        float, of the same shape.

    Raises:
        ValueError: as `WindowAttention`.
    """

    def __init__(
        self, num_heads: int, window_size: int, drop_paths: Sequence[float], *, remat: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.window_size = window_size
        self.drop_paths = tuple(drop_paths)
        self.remat = remat
        self.blocks = [
            TransformerBlock(num_heads, window_size, rate, name=f"block_{i}", **self.options)
            for i, rate in enumerate(self.drop_paths)
        ]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class TransformerModule(ParallelModule):
    """Applies a branch of transformer blocks to each map, then fuses the branches with separable convolutions.

    Args:
        num_heads: for each branch, the number of heads of its attention.
        window_size: height and width of a window, in pixels of each map.
        drop_paths: for each block of a branch, the fraction of the samples for which training skips its parts.
        remat: as in `HighResolutionModule`, which also has the same inputs and outputs.

    Raises:
        ValueError: as `WindowAttention`.

    Reference: HRNet/HRFormer, seg/lib/models/backbones/hrt/hrt_backbone.py, `HighResolutionTransformerModule`.
    """

    def __init__(self, num_heads: Sequence[int], window_size: int, drop_paths: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = tuple(num_heads)
        self.window_size = window_size
        self.drop_paths = tuple(drop_paths)
        self.fuse = SeparableFuse(name="fuse", **self.options)

    def make_branch(self, i: int, channels: int) -> TransformerBranch:
        return TransformerBranch(
            self.num_heads[i], self.window_size, self.drop_paths, name=f"branch_{i}", **self.options
        )


@keras.saving.register_keras_serializable(package="keras_hrnet")
class TransformerStage(ModuleSequence):
    """Applies a sequence of modules of transformer blocks to the branches.

    Args:
        num_heads: for each branch, the number of heads of its attention.
        window_size: height and width of a window, in pixels of each map.
        drop_paths: for each module, a list with one number for each block of a branch: the fraction of the samples for
            which training skips the parts of that block.
        remat: as in `HighResolutionModule`, which also has the same inputs and outputs.

    Raises:
        ValueError: as `WindowAttention`.

    Reference: Yuan et al., "HRFormer: High-Resolution Transformer for Dense Prediction", 2021, section 3.
    """

    def __init__(
        self,
        num_heads: Sequence[int],
        window_size: int,
        drop_paths: Sequence[Sequence[float]],
        *,
        remat: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = tuple(num_heads)
        self.window_size = window_size
        self.drop_paths = tuple(map(tuple, drop_paths))
        self.remat = remat
        self.modules_in_order = [
            TransformerModule(self.num_heads, window_size, rates, remat=remat, name=f"module_{i}", **self.options)
            for i, rates in enumerate(self.drop_paths)
        ]
