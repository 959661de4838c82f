"""Describes the values that the label images of a data set may hold."""

import dataclasses
from collections.abc import Iterable, Mapping

from keras_hrnet.data_sets.classes import Color


@dataclasses.dataclass(frozen=True)
class LabelValues:
    """The values that the label images of a data set may hold.

    Args:
        values: allowed values of pixels in gray images, and of indices in palette images, in [0, 255].
        colors: allowed colors of pixels in RGB images; None if there are no RGB images.
        palette_images: whether palette images are allowed.
        expected: the values in words.
        cure: advice about a file that holds other values, as a sentence.
        original: file name pattern of the published files, such as "*_labelIds.png".
        beside: file name patterns of other files in the same folders, by their bit depth and color type (PNG
            specification, table 11.1).
    """

    values: Iterable[int]
    colors: Iterable[Color] | None = None
    palette_images: bool = True
    expected: str = ""
    cure: str = "Change these pixels to an expected value, or add their values to those of the data set."
    original: str = ""
    beside: Mapping[tuple[int, int], str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozenset(self.values))
        if self.colors is not None:
            object.__setattr__(self, "colors", frozenset(map(tuple, self.colors)))
        if not self.expected:
            object.__setattr__(self, "expected", f"only {in_words(self.values)}")


def in_words(values: Iterable[int]) -> str:
    """Writes integers as ranges, such as "0 to 18 and 255"; one or two consecutive integers are written out."""
    runs = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    words = []
    for run in runs:
        words += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "none"
