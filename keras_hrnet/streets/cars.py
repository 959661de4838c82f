"""Draws cars and vans."""

import dataclasses

from keras_hrnet.streets.canvas import Canvas, Color, shaded
from keras_hrnet.streets.solid import DARK, GLASS, PLATE, Pose, Solid

REAR_LAMP, REAR_LAMP_LIT = (150, 16, 18), (235, 40, 30)
HEADLAMP, HEADLAMP_LIT = (224, 228, 230), (255, 248, 220)
TAXI_SIGN = (235, 220, 120)
CAR_COLORS = (
    (34, 36, 40), (72, 76, 82), (128, 132, 136), (176, 180, 184), (222, 224, 226), (240, 240, 238), (24, 38, 84),
    (38, 72, 128), (112, 22, 26), (168, 30, 28), (40, 74, 52), (122, 106, 84), (86, 60, 44), (196, 160, 40),
    (60, 110, 150), (150, 80, 40),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class CarShape:
    """A body style of cars.

    Args:
        length, width, height: size in meters.
        profile: `(along, up, part)` as in `Solid`, but as fractions of the length and the height.
        rear_pane, windscreen: indices of the edges of the profile that are the rear window and the windshield.
    """

    length: float
    width: float
    height: float
    profile: tuple[tuple[float, float, float], ...]
    rear_pane: int
    windscreen: int


_TAIL = ((0, 0.2, 0.96), (0, 0.6, 1))
_NOSE = ((0.95, 0.57, 0.96), (1, 0.47, 0.97), (1, 0.2, 0.95))
CAR_SHAPES = {
    "saloon": CarShape(4.5, 1.8, 1.45, (*_TAIL, (0.02, 0.70, 0.98), (0.13, 0.71, 0.95), (0.26, 0.98, 0.78),
                                        (0.50, 1, 0.78), (0.69, 0.69, 0.92), *_NOSE), 3, 5),
    "hatchback": CarShape(3.9, 1.74, 1.48, (*_TAIL, (0.02, 0.66, 0.98), (0.10, 0.97, 0.80),
                                            (0.45, 1, 0.80), (0.68, 0.68, 0.93), *_NOSE), 2, 4),
    "estate": CarShape(4.6, 1.82, 1.5, (*_TAIL, (0.02, 0.66, 0.98), (0.07, 0.96, 0.82),
                                        (0.50, 1, 0.80), (0.69, 0.67, 0.93), *_NOSE), 2, 4),
    "off-road": CarShape(4.5, 1.88, 1.74, (*_TAIL, (0.01, 0.64, 0.99), (0.06, 0.97, 0.86),
                                           (0.52, 1, 0.84), (0.68, 0.68, 0.95), *_NOSE), 2, 4),
    "van": CarShape(5.2, 1.96, 2.15, ((0, 0.14, 0.98), (0, 0.55, 1), (0.01, 0.60, 1), (0.02, 0.98, 0.92),
                                      (0.70, 1, 0.90), (0.86, 0.58, 0.96), (0.98, 0.48, 0.98), (1, 0.36, 0.98),
                                      (1, 0.14, 0.97)), 2, 4),
}  # fmt: skip


def car(canvas: Canvas, pose: Pose, shape: str, color: Color, taxi: bool) -> None:
    """Draws a car of one of `CAR_SHAPES`, with a sign on its roof if it is a taxi."""
    shape = CAR_SHAPES[shape]
    profile = [(along * pose.length, up * shape.height, part) for along, up, part in shape.profile]
    solid = Solid(canvas, pose, profile)
    if taxi:
        _taxi_sign(canvas, pose, shape.height)
    solid.underside()
    solid.hull(color)
    _side(solid, shape, color)
    solid.on_slope(shape.rear_pane, GLASS)
    solid.on_slope(shape.windscreen, GLASS)
    solid.wheels((0.19 * pose.length, 0.81 * pose.length), 0.31 + 0.03 * (shape.height > 1.6))
    _end(canvas, solid, shape.height, color)


def _taxi_sign(canvas, pose, high):
    corners = ((-0.3, high - 0.1), (0.3, high - 0.1), (0.3, high + 0.14), (-0.3, high + 0.14))
    canvas.face([pose.at(0.45 * pose.length, across, up) for across, up in corners], TAXI_SIGN)


def _side(solid, shape, color):
    """Draws windows, doors and highlights on the visible side."""
    profile, length, height = solid.profile, solid.pose.length, shape.height
    low, high = profile[shape.rear_pane][1] + 0.06, 0.93 * height
    start, roof_start = profile[shape.rear_pane][0], profile[shape.rear_pane + 1][0]
    roof_stop, stop = profile[shape.windscreen][0], profile[shape.windscreen + 1][0]
    if shape is CAR_SHAPES["van"]:
        start = roof_start = roof_stop - 0.15
    middle = (roof_start + roof_stop) / 2 + 0.25
    rear = ((start + 0.22, low), (roof_start + 0.12, high), (middle - 0.05, high), (middle - 0.05, low))
    front = ((middle + 0.05, low), (middle + 0.05, high), (roof_stop - 0.05, high), (stop - 0.28, low))
    darker, lighter = shaded(color, 0.6), tuple(min(255, 1.12 * c + 8) for c in color)
    solid.on_side_box(0.01 * length, 0.2, 0.99 * length, 0.42 * height, shaded(color, 0.86))
    solid.on_side_box(0.05, 0.2, length - 0.05, 0.34, darker)
    solid.on_side_box(0.02 * length, low - 0.16, 0.66 * length, low - 0.09, lighter)
    for door in (middle, middle + 0.95):
        solid.on_side_box(door, 0.36, door + 0.03, low, darker)
    for pane in (rear, front):
        if pane[3][0] - pane[0][0] > 0.3:
            solid.on_side(pane, GLASS, parts=(0.96, 0.83, 0.83, 0.96))


def _end(canvas, solid, height, color):
    """Draws bumper, lamps and license plate on the rear or the front, whichever is visible."""
    lit = canvas.light.evening
    solid.on_end(-0.96, 0.24, 0.96, 0.25 * height, shaded(color, 0.6))
    if solid.rear:
        solid.pair_on_end(0.66, 0.97, 0.45 * height, 0.60 * height, REAR_LAMP_LIT if lit else REAR_LAMP, shining=lit)
        solid.on_end(-0.3, 0.34 * height, 0.3, 0.42 * height, PLATE)
        solid.on_end(-0.9, 0.27 * height, 0.9, 0.30 * height, DARK)
    else:
        solid.on_end(-0.55, 0.28 * height, 0.55, 0.42 * height, DARK)
        solid.pair_on_end(0.60, 0.94, 0.38 * height, 0.46 * height, HEADLAMP_LIT if lit else HEADLAMP, shining=lit)
        solid.on_end(-0.3, 0.22 * height, 0.3, 0.28 * height, PLATE)
