"""The protocol by which a network predicts an image: scales, flips, tiles, and how its outputs are averaged."""

import dataclasses
import math
from typing import Any, Literal, get_args

Average = Literal["official", "probabilities"]


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The protocol by which a network predicts an image. Scores are comparable only under the same protocol.

    Args:
        scales: factors of the image's height and width, at each of which the network predicts.
        flip: whether it also predicts the image mirrored left to right.
        tile: (height, width) in pixels of the tiles that the network predicts one by one; None for the whole image.
            The memory that the network takes then depends on the tile and not on the image.
        overlap: minimum overlap of neighboring tiles in pixels, of which each tile contributes half. None means a
            quarter of the tile's shorter side.
        average: how outputs are averaged. "official" is the method of the published code: logits are averaged over
            flips, and their exponentials over scales; above scale 1, the image is predicted in windows of its original
            size. "probabilities" averages the softmax over flips and scales.
        hierarchical_scales: the scales that a network with `head="hierarchical"` combines internally; None for other
            networks. They are a property of the network, which `with_scales` changes.

    Raises:
        ValueError: if a value is invalid.

    Reference: HRNet-Semantic-Segmentation, lib/datasets/base_dataset.py, `inference`, and lib/datasets/cityscapes.py,
    `multi_scale_inference`.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tile: tuple[int, int] | None = None
    overlap: int | None = None
    average: Average = "official"
    hierarchical_scales: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        scales = self.scales if isinstance(self.scales, (tuple, list)) else (self.scales,)
        if not scales or not all(isinstance(s, (int, float)) and 0 < s < math.inf for s in scales):
            raise ValueError(
                f"Received scales={self.scales!r}. Expected positive numbers, at least one. Pass (1.0,) for the "
                "original size, or (0.5, 0.75, 1.0, 1.25, 1.5, 1.75) as published."
            )
        averages = get_args(Average)
        if self.average not in averages:
            raise ValueError(f"Received average={self.average!r}. Expected one of {averages}. Pass one of them.")
        object.__setattr__(self, "scales", tuple(float(scale) for scale in scales))
        if self.tile is not None:
            self._check_tile()
        elif self.overlap is not None:
            raise ValueError(
                f"Received overlap={self.overlap!r} without a tile. Expected both. Pass tile=(1024, 2048), or leave "
                "out the overlap."
            )

    def _check_tile(self):
        tile, overlap = self.tile, self.overlap
        if isinstance(tile, int) or len(tile) != 2 or not all(isinstance(n, int) and n > 0 for n in tile):
            raise ValueError(
                f"Received tile={tile!r}. Expected (height, width), two whole numbers of pixels. Pass (1024, 2048), or "
                "None for whole images."
            )
        overlap = min(tile) // 4 if overlap is None else overlap
        if not isinstance(overlap, int) or not 0 <= overlap < min(tile):
            raise ValueError(
                f"Received overlap={overlap!r} for tile={tuple(tile)}. Expected a whole number of pixels from 0 to "
                f"{min(tile) - 1}, less than the tile. Pass overlap={min(tile) // 4}, or a larger tile."
            )
        object.__setattr__(self, "tile", tuple(tile))
        object.__setattr__(self, "overlap", overlap)

    @property
    def num_passes(self) -> int:
        """Number of predictions per image or tile; windows of larger scales are not counted."""
        return len(self.scales) * (2 if self.flip else 1)

    def to_dict(self) -> dict[str, Any]:
        """Returns the protocol in types that JSON supports."""
        return {**dataclasses.asdict(self), "text": str(self)}

    def __str__(self) -> str:
        numbers = ", ".join(f"{scale:g}" for scale in self.scales)
        parts = [f"scale{'' if len(self.scales) == 1 else 's'} {numbers}", "with flips" if self.flip else "no flips"]
        if self.tile is None:
            parts.append("whole images")
        else:
            parts.append(f"tiles of {self.tile[0]}x{self.tile[1]} that overlap by {self.overlap}")
        if self.num_passes > 1:
            official = self.average == "official"
            parts.append("official average: sum of exp(logits)" if official else "averaged probabilities")
        if self.hierarchical_scales:
            parts.append(f"hierarchical scales {', '.join(f'{scale:g}' for scale in self.hierarchical_scales)}")
        return "; ".join(parts)
