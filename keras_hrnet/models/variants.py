"""The published networks, one row each."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Variant:
    """The widths and depths of an HRNet.

    Args:
        name: what the network is called, in a summary and in errors.
        width: channels of the finest branch; each coarser one has twice as many.
        stage1_blocks: bottlenecks of the first stage.
        stage1_filters: inner channels of those; their result has four times as many.
        modules: modules of stages 2, 3 and 4.
        blocks: basic blocks in each branch of each of those modules.

    Raises:
        ValueError: if a number is below one, or `modules` does not hold three.
    """

    name: str
    width: int
    stage1_blocks: int = 4
    stage1_filters: int = 64
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4

    def __post_init__(self):
        object.__setattr__(self, "modules", tuple(self.modules))
        if len(self.modules) != 3:
            raise ValueError(
                f"`Variant` received modules={self.modules}. Expected three numbers, for stages 2, 3 and 4. The large "
                "published networks have (1, 4, 3)."
            )
        counts = (self.width, self.stage1_blocks, self.stage1_filters, *self.modules, self.blocks)
        if any(not isinstance(count, int) or count < 1 for count in counts):
            raise ValueError(
                f"Received {self}. Expected whole numbers of at least 1 for widths and depths. Correct the one that is "
                "not."
            )

    @property
    def widths(self):
        """Channels of the four branches, finest first."""
        return tuple(self.width * 2**i for i in range(4))


# HRNet-Image-Classification, experiments/cls_hrnet_w*.yaml; HRNet-Semantic-Segmentation, branch pytorch-v1.1,
# experiments/cityscapes/seg_hrnet_w18_small_v{1,2}_*.yaml. "W18 Small" is published as w18_small_v1 and is 16 wide.
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("HRNetW18Small", 16, stage1_blocks=1, stage1_filters=32, modules=(1, 1, 1), blocks=2),
        Variant("HRNetW18SmallV2", 18, stage1_blocks=2, modules=(1, 3, 2), blocks=2),
        Variant("HRNetW18", 18),
        Variant("HRNetW30", 30),
        Variant("HRNetW32", 32),
        Variant("HRNetW40", 40),
        Variant("HRNetW44", 44),
        Variant("HRNetW48", 48),
        Variant("HRNetW64", 64),
    )
}
"""The nine published networks, by the name of their constructor."""
