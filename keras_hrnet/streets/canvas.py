"""The picture plane: a camera, the light, and a canvas on which colors and labels are drawn together.

World coordinates are in meters: x to the right, y up from the ground, z ahead of the camera. Colors are red, green and
blue in [0, 255], and are floats until they are drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from keras_hrnet.data_sets.cityscapes import LABELS

if TYPE_CHECKING:
    from keras_hrnet.streets.facade import Facade

Color = Sequence[float]
"""Red, green and blue, each in [0, 255]."""

Point = tuple[float, float]
"""A point on a plane: a column and a row of the picture, or two lengths in meters."""

Vector = tuple[float, float, float]
"""A point in the world, or a direction."""

NEAREST_METERS = 0.6
LABEL_OF_NAME = {label.name: label for label in LABELS}


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks along z; its image has one vanishing point.

    Args:
        height, width: size of the image, in pixels.
        focal: focal length, in pixels.
        column, horizon: column and row of the vanishing point.
        eye: height above the ground, in meters.
    """

    height: int
    width: int
    focal: float
    column: float
    horizon: float
    eye: float

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Returns the pixel `(column, row)` at which a point of the world appears.

        A point closer than `NEAREST_METERS` is moved along z to that distance, which is exact for walls along the
        street.
        """
        scale = self.focal / max(z, NEAREST_METERS)
        return self.column + x * scale, self.horizon + (self.eye - y) * scale


@dataclasses.dataclass(frozen=True)
class Light:
    """The weather and the time of day.

    Args:
        ambient: light from the entire sky; 1 leaves a color unchanged.
        sun: light from the sun on a surface that faces it.
        direction: unit vector toward the sun.
        haze: color of the sky at the horizon, and of haze.
        visibility: distance in meters at which haze replaces 63 % of a color.
        zenith: color of the sky overhead.
        clouds: cloud cover, in [0, 1].
        evening: whether lamps and windows are lit.
    """

    ambient: tuple[float, float, float]
    sun: tuple[float, float, float]
    direction: tuple[float, float, float]
    haze: tuple[float, float, float]
    visibility: float
    zenith: tuple[float, float, float]
    clouds: float
    evening: bool

    def on(self, normal: Vector) -> tuple[float, float, float]:
        """Returns the factors for red, green and blue on a surface with this unit normal."""
        facing = max(0.0, sum(a * b for a, b in zip(normal, self.direction, strict=True)))
        open_sky = 0.84 + 0.16 * normal[1]
        return tuple(a * open_sky + s * facing for a, s in zip(self.ambient, self.sun, strict=True))


TOWARDS_CAMERA = (0.0, 0.35, -0.937)


def shaded(color: Color, factor: float) -> Color:
    """Multiplies a color by a factor."""
    return tuple(factor * c for c in color)


class Canvas:
    """Draws shapes, which must come from far to near.

    Each shape is drawn once, as a number that represents both its color and the object to which it belongs. Colors and
    labels therefore have the same edges.

    Args:
        camera: the camera.
        light: the light on the surfaces.
        pixels: the sky and the ground, uint8 `(height, width, 3)`.
        index: the index in `labels` of the label of each of these pixels, int32 `(height, width)`.
        labels: names of labels.
        random: a `random.Random` for the details of shapes. Shapes take as many numbers from it at any size, so that a
            street is the same at every size.
    """

    def __init__(
        self, camera: Camera, light: Light, pixels: np.ndarray, index: np.ndarray, labels: Sequence[str], random: Random
    ):
        self.camera, self.light, self.random = camera, light, random
        self.depths, self.values, self.label_ids, self.facades = [], [], [], {}
        self._textured = Image.fromarray(pixels)
        self._numbers = Image.fromarray(index)
        self._draw = ImageDraw.Draw(self._numbers)
        self._colors, self._owners = [], []
        self._instances, self._counts, self._factors = {}, {}, {}
        for name in labels:
            self.begin(name, 0.0)
            self._number(None)

    def begin(self, name: str, depth: float, owner: Hashable = None, facade: Facade | None = None) -> None:
        """Begins an object, to which all shapes belong that are drawn from now on.

        Args:
            name: name of its label.
            depth: its distance in meters, which determines the haze.
            owner: objects with the same name and owner are one instance; None for an instance of its own.
            facade: the pattern of its pixels, if it is a facade.
        """
        label = LABEL_OF_NAME[name]
        thing = len(self.values)
        value = label.id
        if label.has_instances:
            key = (name, thing if owner is None else owner)
            if key not in self._instances:
                self._instances[key] = self._counts.get(name, 0)
                self._counts[name] = self._instances[key] + 1
            value = label.id * 1000 + self._instances[key]
        if facade is not None:
            self.facades[thing] = facade
        self.label_ids.append(label.id)
        self.values.append(value)
        self.depths.append(depth)

    def _number(self, color):
        """Returns a new number for the current object in a color; None if the colors of its pixels are stamped."""
        self._colors.append(color)
        self._owners.append(len(self.values) - 1)
        return len(self._colors) - 1

    def paint(self, color: Color, normal: Vector = TOWARDS_CAMERA) -> tuple[int, int, int]:
        """Returns the color, as integers, of a surface with this unit normal under the light."""
        factors = self._factors.get(normal)
        if factors is None:
            factors = self._factors[normal] = self.light.on(normal)
        red, green, blue = color
        return min(255, int(red * factors[0])), min(255, int(green * factors[1])), min(255, int(blue * factors[2]))

    def polygon(self, points: Sequence[Point], color: tuple[int, int, int]) -> None:
        """Fills a polygon, whose points are in pixels, with a color that already includes the light."""
        self._draw.polygon(points, fill=self._number(color))

    def ellipse(
        self, column: float, row: float, radius_across: float, radius_up: float, color: tuple[int, int, int]
    ) -> None:
        """Fills an upright ellipse, whose center and radii are in pixels."""
        box = (column - radius_across, row - radius_up, column + radius_across, row + radius_up)
        self._draw.ellipse(box, fill=self._number(color))

    def line(self, points: Sequence[Point], width: float, color: tuple[int, int, int]) -> None:
        """Draws a line, whose points and width are in pixels; it is at least one pixel wide."""
        width = max(1, round(width))
        self._draw.line(points, fill=self._number(color), width=width, joint="curve" if width > 3 else None)

    def stamp(self, left: int, top: int, mask: np.ndarray, patch: np.ndarray) -> None:
        """Copies the pixels of `patch`, uint8 `(height, width, 3)`, where `mask`, bool `(height, width)`, is true."""
        stencil = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
        self._textured.paste(Image.fromarray(patch), (left, top), stencil)
        corners = (left, top, left + mask.shape[1], top + mask.shape[0])
        self._numbers.paste(self._number(None), corners, stencil)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the drawn picture.

        Returns:
            Colors, uint8 `(height, width, 3)`, and the object at each pixel, int32 `(height, width)`: its index in
            `values`, `label_ids` and `depths`.
        """
        numbers = np.asarray(self._numbers)
        pixels = np.array(self._textured)
        is_flat = np.array([color is not None for color in self._colors])
        flat = is_flat.take(numbers)
        table = np.array([color or (0, 0, 0) for color in self._colors], np.uint8)
        for i in range(3):
            np.copyto(pixels[..., i], table[:, i].take(numbers), where=flat)
        return pixels, np.array(self._owners, np.int32).take(numbers)

    def face(self, corners: Sequence[Vector], color: Color, normal: Vector = TOWARDS_CAMERA) -> None:
        """Fills a flat polygon of the world with corners `(x, y, z)`; its normal determines the light on it."""
        self.polygon([self.camera.project(*corner) for corner in corners], self.paint(color, normal))

    def across(self, left: float, low: float, right: float, high: float, z: float, color: Color) -> None:
        """Fills an upright rectangle across the street, whose coordinates are in meters."""
        self.face([(left, low, z), (right, low, z), (right, high, z), (left, high, z)], color)

    def board(self, x: float, z: float, stretch: float = 1.0) -> Board:
        """Returns an upright plane across the street, on which figures are drawn in meters."""
        return Board(self, x, z, stretch)


class Board:
    """An upright plane that faces the camera; points on it are `(meters right of x, meters up)`.

    `x` and `z` are meters right and ahead of the camera. `stretch` multiplies horizontal lengths: a small factor
    foreshortens figures, and a negative factor mirrors them.
    """

    def __init__(self, canvas: Canvas, x: float, z: float, stretch: float):
        self.canvas = canvas
        self.scale = canvas.camera.focal / z
        self.column, self.row = canvas.camera.project(x, 0.0, z)
        self.stretch = stretch

    def _pixels(self, points):
        across = self.scale * self.stretch
        return [(self.column + across * right, self.row - self.scale * up) for right, up in points]

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        self.canvas.polygon(self._pixels(points), self.canvas.paint(color))

    def box(self, left: float, low: float, right: float, high: float, color: Color) -> None:
        self.polygon([(left, low), (right, low), (right, high), (left, high)], color)

    def ellipse(self, right: float, up: float, radius_across: float, radius_up: float, color: Color) -> None:
        ((column, row),) = self._pixels([(right, up)])
        across = max(0.5, radius_across * self.scale * abs(self.stretch))
        self.canvas.ellipse(column, row, across, max(0.5, radius_up * self.scale), self.canvas.paint(color))

    def lamp(self, right: float, up: float, radius: float, color: Color) -> None:
        """Fills a disc that emits light."""
        ((column, row),) = self._pixels([(right, up)])
        radius = max(0.5, radius * self.scale)
        self.canvas.ellipse(column, row, radius, radius, tuple(int(c) for c in color))

    def line(self, points: Sequence[Point], width: float, color: Color) -> None:
        """Draws a line, whose points and width are in meters."""
        self.canvas.line(self._pixels(points), width * self.scale, self.canvas.paint(color))
