"""Splits pairs into training and validation data by name."""

import dataclasses
import hashlib
from collections.abc import Sequence
from numbers import Real
from typing import TypeVar

from keras_hrnet.picture_files.listing import composed

PARTS = ("train", "val")

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Part:
    """One of the two parts into which `val_share` splits images; `split` names it."""

    split: str
    val_share: float

    def of(self, items: Sequence[Item], names: Sequence[str]) -> list[Item]:
        """Keeps the items of this part, in their order.

        Args:
            names: names of the items, all different. The items whose names have the lowest SHA-256 are the validation
                part: the given share of all items, rounded, but at least one and never all.

        Raises:
            ValueError: if there is only one item.
        """
        if len(items) < 2:
            raise ValueError(
                f"Received val_share={self.val_share} for {len(items)} images. Expected at least 2: one to train on "
                "and one to validate on. Add images, or leave out val_share."
            )
        num_val = min(max(1, round(self.val_share * len(items))), len(items) - 1)
        hashes = [hashlib.sha256(composed(name).encode()).digest() for name in names]
        highest = sorted(hashes)[num_val - 1]
        return [item for item, own in zip(items, hashes, strict=True) if (own <= highest) == (self.split == "val")]


def part_of(split: str | None, val_share: float | None) -> Part | None:
    """Checks the two arguments that select a part; returns None if neither is given.

    Raises:
        TypeError: if the share is not a number.
        ValueError: if one of them is missing or out of range.
    """
    if split is None and val_share is None:
        return None
    if split not in PARTS or val_share is None:
        raise ValueError(
            f"Received split={split!r} and val_share={val_share!r}. Expected a split of 'train' or 'val' together with "
            "the share to validate on. Pass both, such as split='train' and val_share=0.2, or neither."
        )
    if not isinstance(val_share, Real):
        raise TypeError(f"Received val_share={val_share!r}. Expected a number between 0 and 1. Pass one such as 0.2.")
    if not 0 < val_share < 1:
        raise ValueError(f"Received val_share={val_share}. Expected a share between 0 and 1. Pass one such as 0.2.")
    return Part(split, float(val_share))
