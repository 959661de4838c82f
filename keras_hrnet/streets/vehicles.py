"""Draws buses, trucks, trams, caravans and trailers."""

import dataclasses

from keras_hrnet.streets.canvas import Canvas, Color, Vector, shaded
from keras_hrnet.streets.solid import DARK, GLASS, PLATE, Pose, Solid


def box_profile(length: float, low: float, high: float, slope: float = 0.0) -> list[Vector]:
    """Returns the profile of a box whose front leans back by `slope` meters."""
    return [(0.0, low, 1.0), (0.0, high - 0.12, 1.0), (0.1, high, 0.97), (length - slope - 0.1, high, 0.97),
            (length - 0.4 * slope, 0.55 * high, 1.0), (length, 0.35 * high, 1.0), (length, low, 1.0)]  # fmt: skip


def bus(canvas: Canvas, pose: Pose, color: Color, stripe: Color) -> None:
    high, length = 3.05, pose.length
    solid = Solid(canvas, pose, box_profile(length, 0.3, high, 0.15), low=0.3)
    solid.underside()
    solid.hull(color)
    solid.on_side_box(0.1, 0.35, length - 0.1, 0.75, stripe)
    step = (length - 1.2) / 8
    for i in range(8):
        solid.on_side_box(0.6 + i * step, 1.25, 0.6 + (i + 0.92) * step, 2.45, GLASS)
    for door in (0.2, 0.55, 0.88):
        solid.on_side_box(door * length, 0.4, door * length + 1.1, 2.5, (70, 80, 88))
        solid.on_side_box(door * length + 0.52, 0.4, door * length + 0.58, 2.5, DARK)
    solid.wheels((0.22 * length, 0.76 * length), 0.48)
    lit = canvas.light.evening
    if solid.rear:
        solid.on_end(-0.85, 1.5, 0.85, 2.45, GLASS)
        solid.on_end(-0.7, 0.6, 0.7, 1.2, shaded(color, 0.7))
    else:
        solid.on_end(-0.93, 1.0, 0.93, 2.55, (44, 54, 62))
        solid.on_end(-0.02, 1.0, 0.02, 2.55, DARK)
        solid.on_end(-0.9, 0.5, 0.9, 0.62, stripe)
    solid.on_end(-0.7, 2.62, 0.7, 2.92, (24, 22, 18))
    solid.on_end(-0.5, 2.70, 0.3, 2.84, (250, 170, 40), shining=True)
    end_lamps(solid, 0.72, 0.92, lit)
    solid.on_end(-0.2, 0.38, 0.2, 0.5, PLATE)


def end_lamps(solid: Solid, low: float, high: float, lit: bool) -> None:
    """Draws red lamps on a rear, or white lamps on a front."""
    color = ((240, 40, 30) if lit else (160, 24, 22)) if solid.rear else ((255, 248, 220) if lit else (215, 218, 214))
    solid.pair_on_end(0.72, 0.94, low, high, color, shining=True)


def truck(canvas: Canvas, pose: Pose, color: Color, cargo: Color, written: Color) -> None:
    """Draws a truck: a cab in the color `color`, and behind it a box in the color `cargo`."""
    cab_length = 2.0
    rear = dataclasses.replace(pose, length=pose.length - cab_length - 0.25)
    back, front = pose.at(rear.length / 2, 0.0, 0.0), pose.at(pose.length - cab_length / 2, 0.0, 0.0)
    rear = dataclasses.replace(rear, x=back[0], z=back[2])
    cab = dataclasses.replace(pose, x=front[0], z=front[2], length=cab_length, width=pose.width * 0.95)
    chassis = Solid(canvas, pose, box_profile(pose.length, 0.45, 1.05), low=0.45)
    chassis.underside()
    chassis.hull(DARK)
    parts = ((rear.z, lambda: _cargo(canvas, rear, cargo, written)), (cab.z, lambda: _cab(canvas, cab, color)))
    for _, draw in sorted(parts, key=lambda part: -part[0]):
        draw()
    chassis.wheels((1.2, 2.3, pose.length - 1.3), 0.48)


def _cargo(canvas, pose, color, written):
    high = 3.6
    solid = Solid(canvas, pose, box_profile(pose.length, 0.95, high), low=0.95)
    solid.hull(color)
    light, dark = tuple(min(255, 1.15 * c + 12) for c in color), shaded(color, 0.72)
    for i in range(1, int(pose.length)):
        solid.on_side_box(i, 1.0, i + 0.05, high - 0.1, dark)
    solid.on_side_box(0.2 * pose.length, 1.8, 0.8 * pose.length, 2.7, written)
    solid.on_side_box(0.0, 0.95, pose.length, 1.08, dark)
    if solid.rear:
        solid.on_end(-0.92, 1.1, 0.92, high - 0.2, light)
        solid.on_end(-0.02, 1.1, 0.02, high - 0.2, dark)
        solid.pair_on_end(0.45, 0.5, 1.1, high - 0.2, dark)
        solid.pair_on_end(0.10, 0.42, 1.9, 2.4, written)
        solid.on_end(-0.95, 0.55, 0.95, 0.72, (190, 40, 30))
        solid.pair_on_end(0.3, 0.6, 0.55, 0.72, (230, 230, 225))
        end_lamps(solid, 0.75, 0.9, canvas.light.evening)


def _cab(canvas, pose, color):
    high = 2.75
    solid = Solid(canvas, pose, box_profile(pose.length, 0.45, high, 0.25), low=0.45)
    solid.hull(color)
    solid.on_side_box(0.75, 1.55, 1.7, 2.35, GLASS)
    solid.on_side_box(0.70, 0.6, 0.74, 2.4, shaded(color, 0.6))
    if solid.front:
        solid.on_end(-0.9, 1.5, 0.9, 2.4, (46, 56, 64))
        solid.on_end(-0.7, 0.75, 0.7, 1.3, DARK)
        solid.on_end(-0.25, 0.5, 0.25, 0.62, PLATE)
        end_lamps(solid, 0.62, 0.85, canvas.light.evening)


def tram(canvas: Canvas, pose: Pose, color: Color, stripe: Color, ends: bool) -> None:
    """Draws one module of a tram; `ends` states whether it is the module whose end is visible."""
    high, length = 3.4, pose.length
    solid = Solid(canvas, pose, box_profile(length, 0.22, high, 0.0), low=0.22)
    solid.underside()
    solid.hull(color)
    solid.on_side_box(0.0, 0.3, length, 0.9, stripe)
    solid.on_side_box(0.0, 1.25, length, 2.55, (40, 46, 54))
    for i in range(1, 5):
        solid.on_side_box(i * length / 5 - 0.06, 1.25, i * length / 5 + 0.06, 2.55, color)
    solid.on_side_box(0.42 * length, 0.35, 0.60 * length, 2.6, (60, 70, 78))
    solid.on_side_box(0.505 * length, 0.35, 0.515 * length, 2.6, DARK)
    for along in (0.0, length - 0.35):
        solid.on_side_box(along, 0.25, along + 0.35, high - 0.1, (36, 36, 38))
    if not ends:
        return
    solid.on_end(-0.90, 1.15, 0.90, 2.60, (38, 46, 54))
    solid.on_end(-0.60, 2.72, 0.60, 3.02, (24, 22, 18))
    solid.on_end(-0.30, 2.79, 0.45, 2.95, (250, 180, 40), shining=True)
    solid.on_end(-0.95, 0.30, 0.95, 0.95, stripe)
    solid.on_end(-0.30, 0.22, 0.30, 0.45, DARK)
    end_lamps(solid, 0.72, 0.92, canvas.light.evening or solid.front)


def caravan(canvas: Canvas, pose: Pose, stripe: Color) -> None:
    """Draws a caravan."""
    length, high = pose.length, 2.5
    roof = [(0.25, high, 0.96), (length - 0.6, high, 0.96)]
    profile = [(0.0, 0.45, 1), (0.0, 1.7, 1), *roof, (length, 1.5, 1), (length, 0.45, 1)]
    solid = Solid(canvas, pose, profile, low=0.45)
    solid.underside()
    solid.hull((232, 230, 222))
    solid.on_side_box(0.05, 0.9, length - 0.05, 1.1, stripe)
    solid.on_side_box(0.6, 1.4, 1.6, 2.0, GLASS)
    solid.on_side_box(2.6, 1.4, 3.6, 2.0, GLASS)
    solid.on_side_box(1.85, 0.5, 2.4, 2.2, (214, 212, 204))
    solid.on_end(-0.75, 1.45, 0.75, 2.0, GLASS)
    solid.on_end(-0.98, 0.9, 0.98, 1.1, stripe)
    end_lamps(solid, 0.6, 0.8, canvas.light.evening)
    solid.wheels((length * 0.5,), 0.33)


def trailer(canvas: Canvas, pose: Pose, color: Color) -> None:
    """Draws a low trailer under a tarpaulin."""
    length = pose.length
    roof = [(0.1, 1.55, 0.9), (length - 0.1, 1.55, 0.9)]
    profile = [(0.0, 0.5, 1), (0.0, 1.0, 1), *roof, (length, 1.0, 1), (length, 0.5, 1)]
    solid = Solid(canvas, pose, profile, low=0.5)
    solid.underside()
    solid.hull(color)
    solid.on_side_box(0.0, 0.5, length, 0.95, (120, 124, 128))
    solid.on_end(-1, 0.5, 1, 0.95, (120, 124, 128))
    end_lamps(solid, 0.55, 0.7, canvas.light.evening)
    solid.wheels((length * 0.5,), 0.28)
