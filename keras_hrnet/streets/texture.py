"""Computes patterns for many pixels at once: cloudy noise, stripes and leaves.

Stripes have positions in meters on their surface, so that they follow its perspective. They are averaged over the
footprint of a pixel, so that they fade where they are finer than a pixel.
"""

import functools
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_hrnet.streets.canvas import Light

TILE = 256
CELLS_PER_CLUSTER = 12
# The standard deviation of uniformly distributed integers from -128 to 127.
BYTE_DEVIATION = 256 / 12**0.5


@functools.lru_cache(maxsize=1)
def fractal_tile() -> np.ndarray:
    """Returns cloudy noise, float32 `(256, 256)` in [0, 1], which tiles without a seam and is always the same."""
    generator = np.random.default_rng(20)
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.fftfreq(TILE)[None, :])
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(generator.standard_normal((TILE, TILE))) / frequency**1.15
    noise = np.fft.ifft2(spectrum).real
    ranks = np.argsort(np.argsort(noise.ravel())).reshape(noise.shape)
    tile = (ranks / (TILE * TILE - 1)).astype(np.float32)
    tile.setflags(write=False)
    return tile


@functools.lru_cache(maxsize=1)
def _tile_image():
    return Image.fromarray(np.tile(fractal_tile(), (2, 2)))


def fractal(across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Interpolates `fractal_tile` at positions in cells; returns float32 of the broadcast shape."""
    tile = fractal_tile().ravel()
    across, along = np.broadcast_arrays(across, along)
    left, near = np.floor(across), np.floor(along)
    i, j = left.astype(np.int32), near.astype(np.int32)
    right, far = (across - left).astype(np.float32), (along - near).astype(np.float32)
    rows, rows_after = (j & (TILE - 1)) * TILE, ((j + 1) & (TILE - 1)) * TILE
    columns, columns_after = i & (TILE - 1), (i + 1) & (TILE - 1)
    first = tile.take(rows + columns)
    first += (tile.take(rows + columns_after) - first) * right
    second = tile.take(rows_after + columns)
    second += (tile.take(rows_after + columns_after) - second) * right
    first += (second - first) * far
    return first


def band(
    value: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, footprint: np.ndarray | float
) -> np.ndarray:
    """Returns the fraction of a pixel with center `value` and width `footprint` that lies in [low, high]."""
    covered = np.minimum(value + footprint / 2, high) - np.maximum(value - footprint / 2, low)
    return np.clip(covered / footprint, 0, 1)


def stripes(
    value: np.ndarray, period: np.ndarray | float, low: float, high: float, footprint: np.ndarray
) -> np.ndarray:
    """Repeats `band`; `low` and `high` are fractions of the period. Stripes finer than a pixel fade into their mean."""
    phase = value / period
    phase = phase - np.floor(phase)
    width = footprint / period
    fine = np.clip(2 * width - 0.5, 0, 1)
    return band(phase, low, high, np.minimum(width, 1)) * (1 - fine) + (high - low) * fine


def speckle(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Returns white noise of mean 0 and standard deviation 1; uniform, which is ten times as fast as normal noise."""
    noise = np.frombuffer(generator.bytes(int(np.prod(shape))), np.int8).astype(np.float32)
    noise += 0.5
    noise /= BYTE_DEVIATION
    return noise.reshape(shape)


class Leaves(NamedTuple):
    """The crown of a tree, or a hedge.

    Args:
        clusters: `(x, y, horizontal radius, vertical radius)` of each cluster of leaves, in a unit square around the
            crown, with y downward.
        square: whether the clusters are boxes instead of ellipses.
        color: color of the leaves.
        shifts: three numbers in [0, 1) that distinguish this crown from others.
    """

    clusters: tuple[tuple[float, float, float, float], ...]
    square: bool
    color: tuple[float, float, float]
    shifts: tuple[float, float, float]


def foliage(
    leaves: Leaves, box: tuple[float, float, float, float], size: tuple[int, int], light: Light, detail: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a part of a crown.

    Args:
        leaves: the entire crown.
        box: left, top, right and bottom edge of the part, in the unit square of the crown.
        size: `(height, width)` of the part in pixels.
        light: the light on the leaves.
        detail: number of cells of noise across the entire crown, at most 200.

    Returns:
        A mask of the leaves, bool `(height, width)`, and their colors, uint8 `(height, width, 3)`.
    """
    height, width = size
    left, top, right, bottom = box
    across = np.arange(width, dtype=np.float32)[None, :] * ((right - left) / width) + left
    down = np.arange(height, dtype=np.float32)[:, None] * ((bottom - top) / height) + top
    rim, facing = np.float32(-9), np.float32(0)
    power = 4 if leaves.square else 2
    # Crowns that appear small have fewer clusters.
    for x, y, radius_across, radius_up in leaves.clusters[: max(1, int(detail / CELLS_PER_CLUSTER))]:
        aside, below = (across - x) * (1 / radius_across), (down - y) * (1 / radius_up)
        inside = (1 - aside**power) - below**power
        facing = np.where(inside > rim, light.direction[0] * aside - light.direction[1] * below, facing)
        rim = np.maximum(rim, inside)
    coarse = _crop(box, size, 40, *leaves.shifts[:2])
    fine = _crop(box, size, detail, *leaves.shifts[1:])
    mask = rim + 0.9 * coarse + 0.5 * fine > 0.92
    mask &= (fine > 0.12) | (rim > 0.75)
    tone = 0.30 + (0.75 * coarse + 0.35) * fine + 0.16 * facing
    in_sun = tone * np.clip(0.45 + 0.5 * facing, 0, 1)
    patch = np.empty((height, width, 3), np.uint8)
    for i in range(3):
        channel = tone * (0.8 * leaves.color[i] * light.ambient[i])
        channel += in_sun * (leaves.color[i] * light.sun[i])
        patch[..., i] = np.minimum(channel, 255, out=channel)
    return mask, patch


def _crop(box, size, cells, right, down):
    """Returns the part `box` of a square of noise that is `cells` wide, resized to `size`."""
    left, top = right * TILE, down * TILE
    corners = (left + box[0] * cells, top + box[1] * cells, left + box[2] * cells, top + box[3] * cells)
    return np.asarray(_tile_image().resize((size[1], size[0]), Image.Resampling.BILINEAR, box=corners))
