"""Places the tiles of a large image, and selects the part of each tile that is kept."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# The stride of the coarsest branch. If a tile starts at a multiple of it, its maps are aligned with those of the image.
COARSEST_STRIDE = 32
LARGEST_STEP = 256


class Tile(NamedTuple):
    """A part of an image that the network predicts separately; slices of rows and of columns.

    Args:
        seen: the rows and columns of the image that the network gets.
        kept: the rows and columns of the image whose prediction is kept.
        inside: position of the kept rows and columns within the seen ones.
    """

    seen: tuple[slice, slice]
    kept: tuple[slice, slice]
    inside: tuple[slice, slice]


def tiles(
    size: tuple[int, int], tile: tuple[int, int], overlap: int, scales: Sequence[float] = (1.0,)
) -> Iterator[Tile]:
    """Covers an image with tiles of one size; each pixel comes from the tile in which it is furthest from an edge.

    Args:
        size: (height, width) of the image, in pixels.
        tile: (height, width) of a tile; an image that is not larger has one tile.
        overlap: minimum overlap of neighboring tiles, in pixels.
        scales: scales at which the tiles will be predicted. If tile and overlap allow it, tiles start at pixels at
            which maps of the network start at every scale.

    Yields:
        The tiles, row by row.
    """
    step = _step(scales)
    rows, columns = (list(_segments(*lengths, overlap, step)) for lengths in zip(size, tile, strict=True))
    for vertical, horizontal in itertools.product(rows, columns):
        yield Tile(*zip(vertical, horizontal, strict=True))


def window_starts(length: int, window: int) -> list[int]:
    """Returns the starts of adjacent windows, in pixels; the last one is moved back to end with the image.

    Args:
        length: length of the image, in pixels.
        window: length of a window, in pixels; at most `length`.

    Reference: HRNet-Semantic-Segmentation, lib/datasets/cityscapes.py, `multi_scale_inference`.
    """
    return [min(start, length - window) for start in range(0, length, window)]


def _step(scales):
    """Returns the smallest number of pixels that is a multiple of 32 at every scale; 32 if there is no small one."""
    steps = range(COARSEST_STRIDE, LARGEST_STEP + 1, COARSEST_STRIDE)
    fits = (step for step in steps if all(step * scale % COARSEST_STRIDE == 0 for scale in scales))
    return next(fits, COARSEST_STRIDE)


def _segments(length, tile, overlap, step):
    """Returns the tiles along one axis: what each sees, what it keeps, and where the kept part is inside it."""
    tile = min(tile, length)
    stride = tile - overlap
    stride = stride // step * step or stride
    starts = [*range(0, length - tile, max(stride, 1)), length - tile]
    seams = [(following + start + tile) // 2 for start, following in itertools.pairwise(starts)]
    for start, first, last in zip(starts, [0, *seams], [*seams, length], strict=True):
        yield slice(start, start + tile), slice(first, last), slice(first - start, last - start)
