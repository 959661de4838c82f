"""Draws bodies of vehicles, which are profiles swept across a width, in perspective from any side."""

import dataclasses
import math
from collections.abc import Sequence

from keras_hrnet.streets.canvas import Canvas, Color, Point, Vector

TYRE = (26, 26, 28)
DARK = (34, 36, 40)
GLASS = (48, 58, 68)
SHADE, RIM = (14, 14, 16), (150, 152, 156)
CIRCLE = tuple((math.sin(i * math.pi / 7), math.cos(i * math.pi / 7)) for i in range(14))
PLATE = (228, 228, 220)
DETAILED_PIXELS_PER_METER = 11


@dataclasses.dataclass(frozen=True)
class Pose:
    """The position, heading and size of a vehicle.

    Args:
        x, z: the center of its footprint, in meters right and ahead of the camera.
        yaw: heading in radians: 0 is away from the camera, π is toward it, and π/2 is to the right.
        length, width: size in meters.
    """

    x: float
    z: float
    yaw: float
    length: float
    width: float

    def at(self, along: float, across: float, up: float) -> Vector:
        """Returns a point of the world, in meters from the vehicle's rear, to the right of its middle, and up."""
        sine, cosine = math.sin(self.yaw), math.cos(self.yaw)
        ahead = along - self.length / 2
        return self.x + across * cosine + ahead * sine, up, self.z - across * sine + ahead * cosine

    def normal(self, along: float, across: float, up: float = 0.0) -> Vector:
        """Converts a direction relative to the vehicle to a direction in the world."""
        sine, cosine = math.sin(self.yaw), math.cos(self.yaw)
        return across * cosine + along * sine, up, -across * sine + along * cosine


class Solid:
    """Draws a vehicle; its profile is a sequence of `(along, up, part)` from the rear to the front.

    `along` and `up` are in meters, and `part` is the width at that point as a fraction of the vehicle's width. `low` is
    the height of the underside in meters.
    """

    def __init__(self, canvas: Canvas, pose: Pose, profile: Sequence[Vector], low: float = 0.24):
        self.canvas, self.pose, self.profile, self.low = canvas, pose, profile, low
        self.half = pose.width / 2
        self.side = 0
        for side in (-1, 1):
            if self._faces_camera(pose.at(pose.length / 2, side * self.half, 1.0), pose.normal(0.0, side)):
                self.side = side
        self.rear = self._faces_camera(pose.at(0.0, 0.0, 1.0), pose.normal(-1.0, 0.0))
        self.front = self._faces_camera(pose.at(pose.length, 0.0, 1.0), pose.normal(1.0, 0.0))
        self.detailed = canvas.camera.focal > DETAILED_PIXELS_PER_METER * max(pose.z, 1.0)

    def _faces_camera(self, point, normal):
        x, y, z = point
        return -x * normal[0] + (self.canvas.camera.eye - y) * normal[1] - z * normal[2] > 0

    def _swept(self, edge, part=1.0, inset=0.0):
        """Returns the corners and normal of the face from point `edge` of the profile to the next; None if hidden.

        `part` is the fraction of its width that is used, and `inset` the fraction of its length omitted at both ends.
        """
        start, stop = self.profile[edge : edge + 2]
        along, up = stop[0] - start[0], stop[1] - start[1]
        length = math.hypot(along, up)
        normal = self.pose.normal(-up / length, 0.0, along / length)
        middle = self.pose.at((start[0] + stop[0]) / 2, 0.0, (start[1] + stop[1]) / 2)
        if not self._faces_camera(middle, normal):
            return None
        ends = [[a + place * (b - a) for a, b in zip(start, stop, strict=True)] for place in (inset, 1 - inset)]
        width = part * self.half
        return [self.pose.at(a, side * w * width, y) for side in (-1, 1) for a, y, w in ends[::-side]], normal

    def hull(self, color: Color) -> None:
        """Draws the body: the swept faces from far to near, then the visible side."""
        faces = [self._swept(edge) for edge in range(len(self.profile) - 1)]
        for corners, normal in sorted(filter(None, faces), key=lambda face: -sum(z for _, _, z in face[0])):
            self.canvas.face(corners, color, normal)
        if self.side:
            points = [*self.profile, (self.profile[-1][0], self.low, 1), (self.profile[0][0], self.low, 1)]
            corners = [self.pose.at(a, self.side * w * self.half, y) for a, y, w in points]
            self.canvas.face(corners, color, self.pose.normal(0.0, self.side))

    def on_side(self, points: Sequence[Point], color: Color, parts: Sequence[float] | None = None) -> None:
        """Draws a polygon of `(along, up)` on the visible side; `parts` are fractions of the width at each point."""
        if self.side and self.detailed:
            parts = parts or (1.0,) * len(points)
            places = zip(points, parts, strict=True)
            corners = [self.pose.at(along, self.side * part * self.half, up) for (along, up), part in places]
            self.canvas.face(corners, color, self.pose.normal(0.0, self.side))

    def on_side_box(self, start: float, low: float, stop: float, high: float, color: Color) -> None:
        self.on_side([(start, low), (stop, low), (stop, high), (start, high)], color)

    def on_slope(self, edge: int, color: Color) -> None:
        """Draws a pane on the face between points `edge` and `edge + 1` of the profile, if the face is visible."""
        face = self._swept(edge, part=0.84, inset=0.1)
        if face is not None:
            self.canvas.face(face[0], color, face[1])

    def on_end(self, left: float, low: float, right: float, high: float, color: Color, shining: bool = False) -> None:
        """Draws a rectangle on the visible end, if any; `left` and `right` are fractions of half the body's width."""
        if not (self.rear or self.front) or not self.detailed:
            return
        along = 0.0 if self.rear else self.pose.length
        corners = [(left, low), (right, low), (right, high), (left, high)]
        points = [self.canvas.camera.project(*self.pose.at(along, a * self.half, y)) for a, y in corners]
        normal = self.pose.normal(-1.0 if self.rear else 1.0, 0.0)
        self.canvas.polygon(points, color if shining else self.canvas.paint(color, normal))

    def pair_on_end(
        self, inner: float, outer: float, low: float, high: float, color: Color, shining: bool = False
    ) -> None:
        """Draws a rectangle and its mirror image on the visible end."""
        for sign in (-1, 1):
            self.on_end(sign * inner, low, sign * outer, high, color, shining)

    def underside(self) -> None:
        """Draws the dark space below the body."""
        length, half = self.pose.length, 0.94 * self.half
        outline = ((0.3, -half), (length - 0.3, -half), (length - 0.3, half), (0.3, half))
        low = [self.pose.at(along, across, 0.0) for along, across in outline]
        high = [self.pose.at(along, across, self.low + 0.12) for along, across in outline]
        for i in range(4):
            self.canvas.face([low[i - 1], low[i], high[i], high[i - 1]], SHADE)

    def wheels(self, positions: Sequence[float], radius: float) -> None:
        """Draws the wheels at these positions along the visible side, and the tires below the visible end."""
        self.pair_on_end(0.62, 0.94, 0.0, self.low + 0.1, TYRE)
        if not self.detailed:
            return
        for along in positions:
            for part, color in ((1.0, TYRE), (0.6, RIM), (0.2, DARK)):
                circle = [(along + part * radius * sine, radius + part * radius * cosine) for sine, cosine in CIRCLE]
                self.on_side(circle, color)
