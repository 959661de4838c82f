"""The classes of a network: their names, their colors, and the label of ignored pixels."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


from keras_hrnet.printable import printable

IGNORE_LABEL = 255
"""The train id of pixels that are ignored by losses and scores."""

Color = tuple[int, int, int]
"""Red, green and blue, each in [0, 255]."""

# Black marks ignored pixels, and grays look like black or like asphalt: colors must be lighter and more saturated.
_MIN_LIGHTNESS, _MIN_CHROMA = 25, 20


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes of a network or a data set.

    Args:
        names: names of the classes, by train id.
        colors: colors of the classes in pictures, by train id; None for `palette(len(names))`.
        ignore_label: the train id of ignored pixels.
        mirrored: pairs of train ids that are swapped when an image is mirrored, such as a left and a right arm.

    Raises:
        TypeError: if a name is not text.
        ValueError: if there is no name, a name occurs twice or has control characters, the number of colors differs
            from that of the classes, or a pair does not hold two classes that are in no other pair.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...] | None = None
    ignore_label: int = IGNORE_LABEL
    mirrored: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.names, str) or not all(isinstance(name, str) for name in self.names):
            raise TypeError(
                f"Received class names {self.names!r}. Expected a sequence of texts. Pass one such as ('sky', 'road')."
            )
        names = tuple(self.names)
        if not names:
            raise ValueError("Received no class names. Expected one for each class. Pass a name for each logit.")
        for name in names:
            if printable(name) != name:
                raise ValueError(
                    f"Received the class name {name!r}. Expected a name without control characters, such as line "
                    "feeds. Rename the class."
                )
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"Received the class name {', '.join(map(repr, twice))} more than once. Expected each name once. "
                "Rename one of them."
            )
        colors = palette(len(names)) if self.colors is None else checked_colors(self.colors, len(names))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "colors", colors)
        object.__setattr__(self, "mirrored", _checked_pairs(self.mirrored, len(names)))

    @classmethod
    def unnamed(cls, count: int) -> Classes:
        """Returns classes with default names: "class 0", "class 1", and so on."""
        return cls(tuple(f"class {i}" for i in range(count)))

    @property
    def are_named(self) -> bool:
        """Whether the names are other than the default names."""
        return self.names != tuple(f"class {i}" for i in range(len(self.names)))

    def first_difference(self, others: Classes) -> tuple[int, str | None, str | None] | None:
        """Returns the first train id whose names differ, with both names; None if all names are equal."""
        pairs = enumerate(itertools.zip_longest(self.names, others.names))
        return next(((i, name, other) for i, (name, other) in pairs if name != other), None)

    @property
    def mirrored_ids(self) -> tuple[int, ...] | None:
        """The train id that each class has in a mirrored image; None if all stay the same."""
        if not self.mirrored:
            return None
        ids = list(range(len(self.names)))
        for left, right in self.mirrored:
            ids[left], ids[right] = right, left
        return tuple(ids)

    def to_dict(self) -> dict:
        """Returns the arguments of `Classes(**...)`, in types that JSON supports."""
        return {
            "names": list(self.names),
            "colors": [list(color) for color in self.colors],
            "ignore_label": self.ignore_label,
            # Files of networks without such pairs stay the same as before this entry was introduced.
            **({"mirrored": [list(pair) for pair in self.mirrored]} if self.mirrored else {}),
        }


def checked_colors(colors: Sequence[Sequence[int]], count: int) -> tuple[Color, ...]:
    """Returns the colors of `count` classes as tuples of integers.

    Raises:
        ValueError: if the number of colors differs from `count`, or one is not a color.
    """
    checked = tuple(tuple(map(int, color)) for color in colors)
    if len(checked) != count:
        raise ValueError(
            f"Received a palette of {len(checked)} colors for {count} classes. Expected one color for each class. "
            f"Pass {count} colors, or None."
        )
    for color in checked:
        if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
            raise ValueError(
                f"Received the color {color}. Expected red, green and blue, each from 0 to 255. Correct the palette."
            )
    return checked


def _checked_pairs(pairs, count):
    pairs = tuple(tuple(map(int, pair)) for pair in pairs)
    ids = [i for pair in pairs for i in pair]
    if any(len(pair) != 2 for pair in pairs) or len(set(ids)) != len(ids) or not set(ids) <= set(range(count)):
        raise ValueError(
            f"Received mirrored={pairs} for {count} classes. Expected pairs of train ids from 0 to {count - 1}, each "
            "in at most one pair. Correct the pairs."
        )
    return pairs


@functools.cache
def palette(count: int) -> tuple[Color, ...]:
    """Returns a color for each class: as distinct as possible, and neither black nor gray.

    Each color is the one that differs most from all previous ones, by its distance in CIELAB. The first colors are
    therefore the same for any number of classes up to 700.

    Args:
        count: number of colors.

    Example:

    >>> palette(2)
    ((209, 24, 70), (24, 255, 24))
    """
    import numpy as np

    steps = 11
    candidates = _candidates(steps)
    while len(candidates) < count:
        steps *= 2
        candidates = _candidates(steps)
    lab = _lab(candidates)
    # The first color is a red.
    chosen = [int(np.argmin(np.sum((candidates - np.array([220, 20, 60])) ** 2, axis=1)))]
    distance = np.full(len(candidates), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.sum((lab - lab[chosen[-1]]) ** 2, axis=1))
        chosen.append(int(distance.argmax()))
    return tuple(tuple(int(channel) for channel in candidates[i]) for i in chosen[:count])


def _candidates(steps: int) -> np.ndarray:
    import numpy as np

    levels = np.round(np.linspace(24, 255, steps)).astype("int64")
    colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _lab(colors)
    return colors[(lab[:, 0] > _MIN_LIGHTNESS) & (np.hypot(lab[:, 1], lab[:, 2]) > _MIN_CHROMA)]


def _lab(rgb: np.ndarray) -> np.ndarray:
    """Converts sRGB in [0, 255] to CIELAB (IEC 61966-2-1; CIE 15:2004) with the white point D65."""
    import numpy as np

    share = rgb / 255
    linear = np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=-1)
