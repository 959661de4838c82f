"""Draws houses, which are boxes with patterned facades, roofs and shop fronts, along the street and across its end."""

import dataclasses
import math
from random import Random

from keras_hrnet.streets.canvas import Canvas
from keras_hrnet.streets.facade import Facade
from keras_hrnet.streets.furniture import LEFTWARDS, RIGHTWARDS

PLASTER = (
    (206, 196, 176), (222, 216, 204), (186, 176, 160), (196, 168, 128), (210, 184, 140), (172, 160, 150),
    (160, 150, 150), (214, 200, 160), (190, 146, 120), (150, 158, 164), (230, 226, 220), (176, 184, 176),
    (204, 170, 160), (128, 124, 122), (222, 190, 120), (148, 168, 180),
)  # fmt: skip
BRICK = ((140, 82, 66), (156, 96, 74), (120, 74, 62), (168, 118, 92), (112, 86, 76), (176, 140, 110))
CONCRETE = ((150, 150, 148), (124, 126, 128), (176, 176, 172), (96, 102, 110))
ROOF = ((124, 64, 48), (98, 60, 50), (74, 72, 74), (92, 88, 84), (140, 84, 60), (58, 58, 62))
CHIMNEY = (110, 74, 62)
TOWARDS_CAMERA = (0.0, 0.0, -1.0)
NOWHERE = float("nan")
NEAREST_GABLE = 2.0
SHOP = ((60, 62, 66), (120, 40, 36), (36, 70, 60), (50, 60, 110), (150, 120, 70), (190, 186, 178), (90, 76, 64))


@dataclasses.dataclass(frozen=True)
class House:
    """One house along the street.

    Args:
        x: the plane of its front, in meters; negative if it is left of the camera.
        start, stop: meters ahead of the camera at which it begins and ends.
        depth: meters from front to back.
        ridge: height of the ridge above the walls, in meters; 0 for a flat roof.
        color, shop, roof: colors of its walls, ground floor and roof.
        pattern: the `Facade` of its walls, still without their plane, colors and light.
    """

    x: float
    start: float
    stop: float
    depth: float
    ridge: float
    color: tuple[float, float, float]
    shop: tuple[float, float, float]
    roof: tuple[float, float, float]
    pattern: Facade

    @property
    def eaves(self) -> float:
        """The height of its walls, in meters."""
        return self.pattern.top


def choose_house(random: Random, x: float, start: float, stop: float, floors: float) -> House:
    """Chooses a house between two places along the street, with about this number of floors above its shops."""
    kind = random.choice(("plaster", "plaster", "brick", "concrete"))
    color = random.choice({"plaster": PLASTER, "brick": BRICK, "concrete": CONCRETE}[kind])
    color = tuple(c * random.uniform(0.9, 1.08) for c in color)
    return House(
        x=x,
        start=start,
        stop=stop,
        depth=random.uniform(9, 14),
        ridge=0.0 if kind == "concrete" else random.choice((0.0, 3.0, 4.5)),
        color=color,
        shop=random.choice(SHOP) if random.random() < 0.5 else color,
        roof=random.choice(ROOF),
        pattern=_choose_pattern(random, kind, max(1, round(floors + random.uniform(-1.2, 1.4)))),
    )


def _choose_pattern(random, kind, floors):
    floor = random.uniform(2.8, 3.8)
    shop = random.choice((0.9 * floor, 1.05 * floor, 4.2))
    glassy = kind == "concrete" and random.random() < 0.5
    return Facade(
        x=0.0,
        z=0.0,
        top=shop + floors * floor + 0.4,
        shop=shop,
        floor=floor,
        period=random.uniform(1.5, 2.2) if glassy else random.uniform(2.2, 4.2),
        window_width=random.uniform(0.8, 0.9) if glassy else random.uniform(0.34, 0.62),
        window_height=random.uniform(0.6, 0.75) if glassy else random.uniform(0.45, 0.62),
        frame=random.choice((225, 205, 90, 60, 160)),
        curtain=random.uniform(0.05, 0.35),
        brick=0.28 if kind == "brick" else 0.0,
        stain=random.uniform(0.1, 0.35),
        shift=random.uniform(0, 50),
    )


def draw_house(canvas: Canvas, house: House) -> None:
    """Draws the roof and the two visible walls."""
    x, start, stop, eaves = house.x, house.start, house.stop, house.eaves
    inwards = LEFTWARDS if x > 0 else RIGHTWARDS
    back = x - inwards[0] * house.depth
    if house.ridge:
        _draw_roof(canvas, house, inwards[0])
    if start > NEAREST_GABLE:
        gable = house.pattern._replace(x=NOWHERE, z=start).lit(canvas, house.color, house.shop, TOWARDS_CAMERA)
        canvas.begin("building", start, facade=gable)
        corners = [(x, 0, start), (back, 0, start), (back, eaves, start), (x, eaves, start)]
        if house.ridge:
            corners.insert(3, ((x + back) / 2, eaves + house.ridge, start))
        canvas.face(corners, house.color, TOWARDS_CAMERA)
    front = house.pattern._replace(x=x).lit(canvas, house.color, house.shop, inwards)
    canvas.begin("building", start, facade=front)
    canvas.face([(x, 0, start), (x, 0, stop), (x, eaves, stop), (x, eaves, start)], house.color, inwards)


def _draw_roof(canvas, house, inwards):
    """Draws the slope of the roof that faces the street, and chimneys."""
    canvas.begin("building", house.start)
    half, low, high = house.depth / 2, house.eaves - 0.15, house.eaves + house.ridge
    edge, middle = house.x + 0.35 * inwards, house.x - half * inwards
    length = math.hypot(half, house.ridge)
    normal = (inwards * house.ridge / length, half / length, 0.0)
    start, stop = house.start, house.stop
    canvas.face(
        [(edge, low, start), (edge, low, stop), (middle, high, stop), (middle, high, start)], house.roof, normal
    )
    for part in (0.25, 0.7):
        z, x = start + part * (stop - start), house.x - 0.55 * half * inwards
        canvas.across(x - 0.4, house.eaves + 0.5 * house.ridge, x + 0.4, high + 0.8, z, CHIMNEY)


def draw_end(canvas: Canvas, house: House, left: float, right: float) -> None:
    """Draws a house across the end of the street, from `left` to `right`."""
    z, eaves, top = house.start, house.eaves, house.eaves + house.ridge
    if house.ridge:
        canvas.begin("building", z)
        corners = [(left - 0.3, eaves, z), (right + 0.3, eaves, z), (right - 1.5, top, z + 5), (left + 1.5, top, z + 5)]
        canvas.face(corners, house.roof, (0.0, 0.6, -0.8))
    facade = house.pattern._replace(x=NOWHERE, z=z).lit(canvas, house.color, house.shop, TOWARDS_CAMERA)
    canvas.begin("building", z, facade=facade)
    canvas.face([(left, 0, z), (right, 0, z), (right, eaves, z), (left, eaves, z)], house.color, TOWARDS_CAMERA)
