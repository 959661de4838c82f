"""Draws traffic lights and traffic signs."""

import math

from keras_hrnet.streets.canvas import Canvas, Color
from keras_hrnet.streets.furniture import STEEL, pole


def traffic_light(canvas: Canvas, x: float, z: float, mast: float, over_road: bool) -> None:
    """Draws a traffic light: one head beside the road and, if `over_road`, a second head on an arm."""
    color = canvas.random.choice(STEEL)
    burning = canvas.random.randrange(3)
    canvas.begin("pole", z)
    pole(canvas, x, z, mast, color, 0.07)
    places = [(0.0, min(2.5, mast - 1.1))]
    if over_road:
        reach = (-0.62 if x > 0 else 0.62) * abs(x)
        canvas.board(x, z).line([(0, mast - 0.1), (reach, mast)], 0.1, color)
        places.append((reach, mast - 0.95))
    canvas.begin("traffic light", z)
    for right, up in places:
        light_head(canvas, x + right, z - 0.1, up, burning)


def light_head(canvas: Canvas, x: float, z: float, up: float, burning: int) -> None:
    """Draws three lamps, of which number `burning` is lit, in a housing whose lower edge is `up` meters high."""
    board = canvas.board(x, z)
    board.box(-0.21, up, 0.21, up + 1.05, (22, 24, 24))
    dim, bright = ((84, 22, 20), (80, 66, 22), (18, 66, 48)), ((255, 48, 36), (255, 190, 50), (60, 240, 170))
    for i in range(3):
        color = bright[i] if i == burning else dim[i]
        board.lamp(0.0, up + 0.87 - 0.33 * i, 0.135, color)


WHITE, RED, BLUE, BLACK = (236, 236, 232), (196, 26, 32), (24, 74, 160), (24, 24, 26)


def _box(left, low, right, high):
    return (left, low), (right, low), (right, high), (left, high)


_OCTAGON = [(0.42 * math.sin((i + 0.5) * math.pi / 4), 0.42 * math.cos((i + 0.5) * math.pi / 4)) for i in range(8)]
_ARROW = ((-0.06, -0.2), (0.06, -0.2), (0.06, 0.02), (0.2, 0.02), (0, 0.25), (-0.2, 0.02), (-0.06, 0.02))
# By kind: the height of a sign's origin above its lower edge, and colors with their polygons or the radii of discs.
_SMALL = {
    "give way": (0, (RED, ((-0.45, 0.75), (0.45, 0.75), (0, 0))), (WHITE, ((-0.27, 0.64), (0.27, 0.64), (0, 0.2)))),
    "danger": (
        0,
        (RED, ((-0.45, 0), (0.45, 0), (0, 0.78))),
        (WHITE, ((-0.28, 0.1), (0.28, 0.1), (0, 0.56))),
        (BLACK, _box(-0.04, 0.14, 0.04, 0.38)),
    ),
    "stop": (0.36, (RED, _OCTAGON), (WHITE, _box(-0.28, -0.09, 0.28, 0.09))),
    "priority": (
        0.36,
        (WHITE, ((-0.44, 0), (0, -0.44), (0.44, 0), (0, 0.44))),
        ((240, 190, 30), ((-0.28, 0), (0, -0.28), (0.28, 0), (0, 0.28))),
    ),
    "limit": (0.36, (RED, 0.36), (WHITE, 0.26), (BLACK, _box(-0.12, -0.1, 0.12, 0.1))),
    "no entry": (0.36, (RED, 0.36), (WHITE, _box(-0.25, -0.07, 0.25, 0.07))),
    "turn": (0.36, (BLUE, 0.36), (WHITE, _ARROW)),
    "parking": (
        0,
        (BLUE, _box(-0.36, 0, 0.36, 0.72)),
        (WHITE, _box(-0.16, 0.12, -0.04, 0.6)),
        (WHITE, _box(-0.04, 0.34, 0.16, 0.6)),
    ),
}
_LARGE = {"directions": ((228, 196, 40), BLACK), "motorway": (BLUE, WHITE), "place": (WHITE, BLACK)}
SMALL_SIGNS, SIGNS = tuple(_SMALL), (*_SMALL, *_LARGE)


def sign_on_pole(canvas: Canvas, x: float, z: float, low: float, color: Color, kind: str, second: str | None) -> None:
    """Draws a pole with a traffic sign at a height of `low` meters, and with `second` above it unless that is None."""
    canvas.begin("pole", z)
    pole(canvas, x, z, low + (1.6 if second else 0.8), color, 0.045)
    canvas.begin("traffic sign", z)
    sign(canvas, x, z - 0.05, kind, low)
    if second:
        sign(canvas, x, z - 0.05, second, low + 0.85)


def sign(canvas: Canvas, x: float, z: float, kind: str, low: float) -> None:
    """Draws a traffic sign without its pole; `kind` is one of `SIGNS`."""
    board = canvas.board(x, z)
    if kind in _LARGE:
        back, text = _LARGE[kind]
        board.box(-0.95, low, 0.95, low + 0.95, back)
        for i in range(3):
            board.box(-0.75, low + 0.16 + 0.27 * i, 0.2 + 0.2 * (i % 2), low + 0.26 + 0.27 * i, text)
        return
    rise, *parts = _SMALL[kind]
    for color, shape in parts:
        if isinstance(shape, float):
            board.ellipse(0, low + rise, shape, shape, color)
        else:
            board.polygon([(right, low + rise + up) for right, up in shape], color)
