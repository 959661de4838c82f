"""Colors walls with windows, shop fronts, bricks and stains, all pixels at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_hrnet.streets.canvas import Camera, Canvas, Color, Light, Vector
from keras_hrnet.streets.texture import band, fractal, stripes

PANE = (26, 30, 36)
INSIDE_BY_DAY, INSIDE_AT_NIGHT = (176, 168, 152), (255, 214, 140)


class Facade(NamedTuple):
    """The pattern of an upright surface. All fields are numbers, so that a table of facades is an array.

    Args:
        x: the plane of a wall along the street, in meters; NaN for a wall across it.
        z: the plane of a wall across the street, in meters.
        top: height of the wall in meters, without a gable.
        shop: height in meters at which the ground floor ends; 0 for a wall without windows.
        floor: meters from floor to floor.
        period: meters from window to window.
        window_width, window_height: fractions of a period and of a floor.
        frame: brightness of the frames, in [0, 255].
        curtain: fraction of the windows that are bright.
        brick, stain: contrast of brickwork and of weathering.
        red, green, blue: the color of the wall under the light, in [0, 255].
        shop_red, shop_green, shop_blue: the color of the ground floor, likewise.
        brightness: the light on the surface; 1 leaves a color unchanged.
        shift: offset of the pattern in meters, which also gives each wall different windows.
    """

    x: float
    z: float
    top: float
    shop: float = 0.0
    floor: float = 3.0
    period: float = 3.0
    window_width: float = 0.5
    window_height: float = 0.5
    frame: float = 0.0
    curtain: float = 0.0
    brick: float = 0.0
    stain: float = 0.0
    red: float = 0.0
    green: float = 0.0
    blue: float = 0.0
    shop_red: float = 0.0
    shop_green: float = 0.0
    shop_blue: float = 0.0
    brightness: float = 1.0
    shift: float = 0.0

    def lit(self, canvas: Canvas, color: Color, shop: Color, normal: Vector) -> Facade:
        """Returns this facade with these colors under the light of a canvas, for a wall with this normal."""
        colors = (*canvas.paint(color, normal), *canvas.paint(shop, normal))
        lit = dict(zip(self._fields[WALL_RED:], colors, strict=False))
        return self._replace(**lit, brightness=sum(canvas.light.on(normal)) / 3)


WALL_RED, SHOP_RED = Facade._fields.index("red"), Facade._fields.index("shop_red")


def facade_pixels(
    camera: Camera, light: Light, facades: Facade, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the colors of pixels that belong to facades.

    Args:
        camera, light: the camera, and the light that windows mirror.
        facades: a `Facade` whose fields are arrays, with one number per pixel.
        rows, columns: positions of the pixels, float32.

    Returns:
        Colors, uint8 `(pixels, 3)`, and depths in meters, float32 `(pixels,)`.
    """
    wall = facades
    sideways = (columns + 0.5 - camera.column) / camera.focal
    along_street = ~np.isnan(wall.x)
    depth = np.where(along_street, wall.x / np.where(np.abs(sideways) < 1e-3, 1e-3, sideways), wall.z)
    depth = np.clip(depth, 0.5, 400)
    y = camera.eye - (rows + 0.5 - camera.horizon) * depth / camera.focal
    s = np.where(along_street, depth, sideways * depth) + wall.shift
    up = depth / camera.focal
    along = np.where(along_street, up * depth / np.maximum(np.abs(wall.x), 1), up)

    tone = 1 + wall.stain * (fractal(s * 2.5, y * 3.5 + wall.shift) - 0.55)
    _lay_bricks(tone, wall, s, y, along, up)
    upper = (wall.shop > 0) & (y > wall.shop)
    lower = (wall.shop > 0) & ~upper
    ledge = band(np.abs(y - wall.shop), 0, 0.12, up) + band(y, wall.top - 0.35, wall.top, up)
    tone += 0.12 * ledge * (wall.shop > 0)
    glass, frame, mirror, bright = _windows(wall, s, y, along, up, upper)
    framed = wall.frame * wall.brightness * 0.9
    lit = INSIDE_AT_NIGHT if light.evening else INSIDE_BY_DAY
    glow = bright if light.evening else bright * wall.brightness
    colors = np.empty((len(depth), 3), np.uint8)
    for i in range(3):
        color = np.where(lower, wall[SHOP_RED + i], wall[WALL_RED + i]) * tone
        color += (framed - color) * frame
        pane = np.where(bright > 0, lit[i] * glow, PANE[i] * (1 - mirror) + 0.75 * light.haze[i] * mirror)
        color += (pane - color) * glass
        colors[:, i] = np.clip(color, 0, 255, out=color)
    return colors, depth.astype(np.float32)


def _lay_bricks(tone, wall, s, y, along, up):
    """Darkens `tone` by mortar and varies it between bricks, on brick walls that are close enough to show bricks."""
    places = np.flatnonzero((wall.brick > 0) & (along < 0.26))
    if not places.size:
        return
    s, y, along, up = (array.take(places) for array in (s, y, along, up))
    course = np.floor(y / 0.22)
    mortar = np.maximum(stripes(y, 0.22, 0, 0.2, up), stripes(s + course * 0.25, 0.5, 0, 0.1, along))
    bricks = mortar - 0.2 + 0.5 * (_hash(np.floor(s * 4), course) - 0.5)
    tone[places] -= wall.brick.take(places) * bricks * np.clip(1.3 - along * 5, 0, 1)


def _windows(wall, s, y, along, up, upper):
    """Computes the windows.

    Returns:
        The fractions of each pixel that are glass and frame, the reflectivity of the glass, and the brightness of the
        room behind it, which is 0 for a dark room.
    """
    level = np.where(upper, np.floor((y - wall.shop) / wall.floor), 0)
    bottom = wall.shop + level * wall.floor
    low = np.where(upper, bottom + 0.575 * (1 - wall.window_height) * wall.floor, 0.45)
    high = np.where(upper, low + wall.window_height * wall.floor, wall.shop * 0.82)
    part = np.where(upper, wall.window_width, 0.78)
    period = wall.period * np.where(upper, np.float32(1), np.float32(1.6))
    phase = s / period
    column = np.floor(phase)
    offset = np.abs(phase - column - 0.5) * period
    half = part * period / 2
    inside = (wall.shop > 0) & (high < wall.top - 0.3) & (y > 0)
    # Windows that are narrower than a pixel are replaced by their mean.
    fine = np.clip(1.2 * along / period, 0, 1) * 0.8
    mean = part * fine
    pane = (band(offset, -1, half, along) * (1 - fine) + mean) * band(y, low, high, up) * inside
    hole = band(offset, -1, half + 0.12, along) * (1 - fine) + mean
    frame = np.clip(hole * band(y, low - 0.14, high + 0.1, up) * inside, 0, 1)
    transom = low + 0.66 * (high - low)
    bars = band(offset, -1, 0.045, along) + band(y, transom, transom + 0.07, up)
    glass = pane * (1 - np.clip(bars, 0, 0.8) * upper)
    luck = _hash(column + wall.shift * 7, level * 5 + wall.shift)
    mirror = 0.10 + 0.45 * luck + 0.25 * np.clip((y - low) / wall.floor, 0, 1)
    return glass, frame, mirror, np.where(luck < wall.curtain, 0.7 + luck, 0)


def _hash(a, b):
    """Returns a pseudorandom number in [0, 1) for each pair of integers."""
    mixed = a.astype(np.int32) * np.int32(73856093) ^ b.astype(np.int32) * np.int32(19349663)
    mixed = (mixed ^ (mixed >> 13)) * np.int32(1274126177)
    return ((mixed >> 8) & 1023).astype(np.float32) / 1024
