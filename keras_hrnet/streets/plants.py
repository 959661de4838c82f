"""Draws trees, hedges and bushes."""

import math

from keras_hrnet.streets.canvas import Canvas, Color
from keras_hrnet.streets.texture import Leaves, foliage

GREENS = ((74, 104, 44), (92, 118, 50), (58, 88, 46), (110, 122, 52), (134, 116, 48), (70, 96, 60), (150, 104, 44))
BARK = (78, 64, 52)
FINEST_CELLS = 200


def tree(canvas: Canvas, x: float, z: float, height: float, width: float, color: Color) -> None:
    """Draws a tree: a trunk, boughs, and a crown of several clusters of leaves."""
    random = canvas.random
    board = canvas.board(x, z)
    fork, thick = height * random.uniform(0.26, 0.36), 0.018 * height + 0.08
    board.polygon([(-thick, 0), (thick, 0), (0.7 * thick, fork), (-0.7 * thick, fork)], BARK)
    for lean in (-0.22, 0.02, 0.2):
        board.line([(0.0, 0.9 * fork), (lean * width, 0.62 * height)], thick, BARK)
    # With noise, leaves extend up to a quarter beyond a cluster, which remains within the unit square.
    clusters = [(0.5, 0.5, 0.38, 0.38)]
    for _ in range(4):
        clusters.append((random.uniform(0.32, 0.68), random.uniform(0.32, 0.68), 0.25, random.uniform(0.2, 0.25)))
    leaves = Leaves(tuple(clusters), False, color, _shifts(random))
    _draw_leaves(canvas, leaves, (x - 0.62 * width, 0.7 * fork, x + 0.62 * width, 1.1 * height), z)


def hedge(canvas: Canvas, x: float, z: float, length: float, height: float, color: Color) -> None:
    """Draws a hedge or a row of bushes across the view; several in a row form a hedge along the street."""
    leaves = Leaves(((0.5, 0.5, 0.5, 0.5),), True, color, _shifts(canvas.random))
    _draw_leaves(canvas, leaves, (x - length / 2, -0.12 * height, x + length / 2, height), z)


def _shifts(random):
    return random.random(), random.random(), random.random()


def _draw_leaves(canvas, leaves, extent, z):
    """Draws the visible part of a crown; `extent` is its left, low, right and high edge in meters."""
    camera = canvas.camera
    left, bottom = camera.project(extent[0], extent[1], z)
    right, top = camera.project(extent[2], extent[3], z)
    columns = max(0, math.floor(left)), min(camera.width, math.ceil(right))
    rows = max(0, math.floor(top)), min(camera.height, math.ceil(bottom))
    size = rows[1] - rows[0], columns[1] - columns[0]
    width, height = right - left, bottom - top
    if min(size) < 1 or min(width, height) < 1:
        return
    piece = (columns[0] - left) / width, (rows[0] - top) / height, (columns[1] - left) / width, (rows[1] - top) / height
    piece = tuple(min(1.0, max(0.0, part)) for part in piece)
    mask, patch = foliage(leaves, piece, size, canvas.light, min(FINEST_CELLS, 1.2 * width))
    canvas.stamp(columns[0], rows[0], mask, patch)
