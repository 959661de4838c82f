"""Draws shadows on the ground."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from keras_hrnet.streets.canvas import Camera, Light, Point

FAINT_SUN = 0.1
NEAREST_METERS = 1.0


class ShadowPlane:
    """Collects shadows on the ground: those that the sun casts, and contact shadows under objects."""

    def __init__(self, camera: Camera, light: Light):
        self._camera, self._light = camera, light
        self._sun = Image.new("L", (camera.width, camera.height))
        self._contact = Image.new("L", (camera.width, camera.height))

    def cast(self, corners: Sequence[Point], low: float, high: float, contact: bool = True) -> None:
        """Adds the shadow of an upright prism.

        Args:
            corners: its outline on the ground, `(x, z)` in meters.
            low, high: heights in meters between which it extends.
            contact: whether it also darkens the ground below it.
        """
        right, up, ahead = self._light.direction
        if max(self._light.sun) > FAINT_SUN:
            moved = [(x - y * right / up, z - y * ahead / up) for y in (low, high) for x, z in corners]
            self._fill(self._sun, _hull(moved))
        if contact:
            self._fill(self._contact, corners)

    def _fill(self, image, outline):
        outline = _ahead_of_camera(outline)
        if len(outline) > 2:
            ImageDraw.Draw(image).polygon([self._camera.project(x, 0.0, z) for x, z in outline], fill=255)

    def maps(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the shadows of the sun and the contact shadows, each float32 `(height, width)` in [0, 1]."""
        soft = self._camera.width / 512
        sun = self._sun.filter(ImageFilter.BoxBlur(0.8 * soft))
        contact = self._contact.filter(ImageFilter.BoxBlur(2.0 * soft))
        return tuple(np.asarray(image, np.float32) / 255 for image in (sun, contact))


def _hull(points):
    """Returns the convex hull, by Andrew's monotone chain algorithm."""
    points = sorted(set(points))
    halves = []
    for ordered in (points, points[::-1]):
        half = []
        for point in ordered:
            while len(half) > 1 and _turn(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        halves += half[:-1]
    return halves


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _ahead_of_camera(outline):
    kept = []
    for i, (x, z) in enumerate(outline):
        last_x, last_z = outline[i - 1]
        if (z < NEAREST_METERS) != (last_z < NEAREST_METERS):
            part = (NEAREST_METERS - last_z) / (z - last_z)
            kept.append((last_x + part * (x - last_x), NEAREST_METERS))
        if z >= NEAREST_METERS:
            kept.append((x, z))
    return kept


def rectangle(x: float, z: float, width: float, length: float, yaw: float = 0.0) -> list[Point]:
    """Returns the corners `(x, z)` of a rectangle on the ground around a center; its length is along z if yaw is 0."""
    sine, cosine = math.sin(yaw), math.cos(yaw)
    ends = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [
        (x + (i * width * cosine + j * length * sine) / 2, z + (j * length * cosine - i * width * sine) / 2)
        for i, j in ends
    ]
