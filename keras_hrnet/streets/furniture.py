"""Draws objects along a street: poles, lamps, walls, fences, bridges, and objects without a class of their own."""

from keras_hrnet.streets.canvas import Canvas, Color, shaded
from keras_hrnet.streets.facade import Facade

STEEL = ((96, 100, 102), (140, 144, 146), (62, 74, 66), (44, 46, 48), (120, 112, 100))
LEFTWARDS, RIGHTWARDS, UPWARDS = (-1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def pole(canvas: Canvas, x: float, z: float, height: float, color: Color, radius: float = 0.06) -> None:
    board = canvas.board(x, z)
    board.box(-radius, 0, radius, height, color)
    board.box(-1.4 * radius, 0, 1.4 * radius, min(0.4, 0.2 * height), shaded(color, 0.8))


def pole_group(canvas: Canvas, x: float, z: float, color: Color) -> None:
    """Draws four poles close together."""
    for i in range(4):
        pole(canvas, x + 0.22 * i, z, 3.2, color, 0.05)


def street_lamp(canvas: Canvas, x: float, z: float, height: float, color: Color) -> None:
    """Draws a street lamp whose arm reaches over the road."""
    board = canvas.board(x, z)
    reach = -1.8 if x > 0 else 1.8
    pole(canvas, x, z, height, color, 0.07)
    board.line([(0, height), (0.5 * reach, height + 0.35), (reach, height + 0.4)], 0.08, color)
    board.box(min(reach, 1.35 * reach), height + 0.3, max(reach, 1.35 * reach), height + 0.46, shaded(color, 0.8))
    if canvas.light.evening:
        board.lamp(1.2 * reach, height + 0.3, 0.12, (255, 236, 190))


def along(canvas: Canvas, x: float, start: float, stop: float, low: float, high: float, color: Color) -> None:
    """Draws an upright rectangle along the street, at `x` from `start` to `stop`."""
    normal = LEFTWARDS if x > 0 else RIGHTWARDS
    canvas.face([(x, low, start), (x, low, stop), (x, high, stop), (x, high, start)], color, normal)


def wall(canvas: Canvas, x: float, start: float, stop: float, high: float, color: Color, brick: bool) -> None:
    """Draws a wall along the street, with a coping."""
    facade = Facade(x=x, z=0.0, top=high, brick=0.3 if brick else 0.03, stain=0.4, shift=x + start)
    facade = facade.lit(canvas, color, color, LEFTWARDS if x > 0 else RIGHTWARDS)
    canvas.begin("wall", start, facade=facade)
    along(canvas, x, start, stop, 0, high, color)
    canvas.begin("wall", start)
    out = 0.12 if x < 0 else -0.12
    canvas.across(x + out, 0, x - out, high, start, color)
    along(canvas, x + out, start, stop, high - 0.14, high + 0.06, tuple(min(255, 1.1 * c) for c in color))


def fence(canvas: Canvas, x: float, start: float, stop: float, high: float, color: Color, kind: str) -> None:
    """Draws a fence along the street, with gaps between its parts."""
    width, step = {"planks": (0.13, 0.16), "bars": (0.035, 0.15), "mesh": (0.02, 0.10)}[kind]
    number = int((stop - start) / step)
    low = 0.05 if kind != "mesh" else 0.12
    if canvas.camera.focal * abs(x) * step / stop**2 < 1.2:
        # Lines are at least one pixel wide, and would leave no gaps.
        number, width = 1, stop - start
    for i in range(number):
        place = stop - (i + 1) * (stop - start) / number
        along(canvas, x, place, place + width, low, high, color)
    for up in (0.18, 0.5 * high, high - 0.12):
        along(canvas, x, start, stop, up, up + 0.07, shaded(color, 0.85))
    canvas.across(x - 0.05, 0, x + 0.05, high + 0.08, start, shaded(color, 0.7))


def guard_rail(canvas: Canvas, x: float, start: float, stop: float) -> None:
    """Draws a steel rail on posts along the road."""
    along(canvas, x, start, start + 0.14, 0, 0.7, (100, 104, 106))
    along(canvas, x, start, stop, 0.42, 0.76, (150, 154, 156))
    along(canvas, x, start, stop, 0.54, 0.62, (104, 108, 110))


def box(canvas: Canvas, x: float, z: float, width: float, high: float, length: float, color: Color) -> None:
    """Draws an upright box: its front, the side that faces the street, and its top if it is below the camera."""
    inner = x - width / 2 if x > 0 else x + width / 2
    far = z + length
    along(canvas, inner, z, far, 0, high, color)
    left, right = x - width / 2, x + width / 2
    if high < canvas.camera.eye:
        canvas.face([(left, high, z), (right, high, z), (right, high, far), (left, high, far)], color, UPWARDS)
    canvas.across(left, 0, right, high, z, color)


def dustbin(canvas: Canvas, x: float, z: float, color: Color) -> None:
    box(canvas, x, z, 0.55, 0.95, 0.6, color)
    canvas.board(x, z).box(-0.3, 0.88, 0.3, 1.02, shaded(color, 0.7))


def column(canvas: Canvas, x: float, z: float, color: Color) -> None:
    """Draws an advertising column."""
    board = canvas.board(x, z)
    board.box(-0.6, 0, 0.6, 2.9, (110, 112, 110))
    board.box(-0.6, 0.5, -0.05, 2.5, color)
    board.box(0.0, 0.7, 0.6, 2.3, tuple(255 - 0.7 * c for c in color))
    board.ellipse(0, 2.95, 0.7, 0.18, (70, 74, 72))


def pram(canvas: Canvas, x: float, z: float, color: Color) -> None:
    board = canvas.board(x, z)
    for hub in (-0.3, 0.3):
        board.ellipse(hub, 0.14, 0.14, 0.14, (30, 30, 32))
    board.polygon([(-0.45, 0.45), (0.4, 0.4), (0.45, 0.75), (-0.05, 0.75), (-0.15, 1.05), (-0.45, 0.9)], color)
    board.line([(0.4, 0.7), (0.68, 1.05)], 0.05, (40, 40, 42))


def bridge(canvas: Canvas, z: float, left: float, right: float, low: float, color: Color) -> None:
    """Draws a bridge over the street, which extends beyond its two piers."""
    high = low + 1.5
    for x in (left, right):
        canvas.across(x - 0.8, 0, x + 0.8, low, z, shaded(color, 0.85))
    left, right = left - 40, right + 40
    canvas.face([(left, low, z), (right, low, z), (right, low, z + 8), (left, low, z + 8)], color, (0.0, -1.0, 0.0))
    canvas.across(left, low, right, high, z, color)
    canvas.across(left, high - 0.25, right, high, z, shaded(color, 0.75))


def tunnel(canvas: Canvas, z: float, left: float, right: float, color: Color) -> None:
    """Draws the mouth of a tunnel in which the road ends."""
    high = 5.6
    canvas.across(left - 9, 0, right + 9, high + 2.6, z, color)
    rise = [((1 - t) * left + t * right, high - 1.6 * (2 * t - 1) ** 2) for t in (i / 10 for i in range(11))]
    mouth = [(left, 0.0), *rise, (right, 0.0)]
    middle = (left + right) / 2
    for part, shade in ((1.0, 0.30), (0.86, 0.18)):
        canvas.face([(middle + part * (x - middle), part * y, z) for x, y in mouth], shaded(color, shade))
