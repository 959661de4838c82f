"""Builds a street: its kind, its width and its ground. Other files fill it with objects."""

import dataclasses
from collections.abc import Callable, Hashable
from random import Random
from typing import Any

from keras_hrnet.streets import lots, sidewalks, traffic
from keras_hrnet.streets.backdrop import Ground, Surface

LANE_METERS = 3.3
PARKING_METERS = 2.4
KERB_METERS = 0.18
GRASS = ((98, 118, 58), (120, 124, 70), (134, 118, 82), (80, 108, 52))
PAINT = ((232, 232, 226), (210, 210, 200), (226, 206, 120))


@dataclasses.dataclass(frozen=True)
class Theme:
    """A kind of street, with objects that it always shows, so that a few pictures show all classes.

    Args:
        floors: approximate number of floors of its houses.
        gap: fraction of the lots without a house.
        lanes: number of lanes left and right of the camera's lane.
        crossing: whether another street crosses.
        verge: whether there is always grass along the sidewalk.
        edge: the edge of the lots without houses on the open side, `"wall"` or `"fence"`.
        sure: vehicles and riders that are always present.
        persons: approximate number of pedestrians.
    """

    floors: float
    gap: float
    lanes: tuple[int, int]
    crossing: bool
    verge: bool
    edge: str
    sure: tuple[str, ...]
    persons: int


THEMES = (
    Theme(4.0, 0.15, (2, 0), False, False, "fence", ("tram", "cyclist", "bicycles"), 10),
    Theme(3.0, 0.55, (2, 1), False, True, "wall", ("truck", "motorcyclist", "trailer"), 4),
    Theme(5.0, 0.05, (1, 0), True, False, "fence", ("bus", "cyclist", "bicycles", "motorcycles"), 20),
    Theme(1.5, 0.45, (1, 0), False, True, "fence", ("tram", "caravan", "cyclist", "motorcycles"), 6),
    Theme(3.5, 0.25, (1, 1), True, True, "wall", ("truck", "bus", "motorcyclist", "bicycles"), 10),
)
"""Consecutive pictures use these in order, so that any five consecutive pictures show all 19 classes."""


@dataclasses.dataclass(frozen=True)
class Item:
    """An object of a street.

    Args:
        depth: distance to its nearest point in meters, by which objects are drawn from far to near.
        draw: function that draws it on a canvas.
        shadow: arguments of `ShadowPlane.cast`, or None.
        on_lot: whether it is beyond the sidewalk, and is therefore drawn before all objects that are not.
    """

    depth: float
    draw: Callable
    shadow: tuple | None
    on_lot: bool


class Street:
    """An empty street of a `Theme`, seen from the middle of a lane; the sides are −1 (left) and 1 (right)."""

    def __init__(self, random: Random, theme: Theme):
        self.random, self.theme, self.items = random, theme, []
        self.open_side = random.choice((-1, 1))
        self.track = -LANE_METERS if "tram" in theme.sure else None
        left_lanes, right_lanes = theme.lanes
        if self.track and left_lanes < 2:
            left_lanes += 1
        self.edges = {-1: -LANE_METERS * (left_lanes + 0.5), 1: LANE_METERS * (right_lanes + 0.5)}
        self.parking = {side: side != self.open_side and random.random() < 0.85 for side in (-1, 1)}
        self.crossing = (0.0, 0.0)
        if theme.crossing:
            start = random.uniform(24, 36)
            self.crossing = (start, start + random.uniform(8, 11))
        self.kerb, self.walk, self.front, self.walk_width = {}, {}, {}, {}
        for side in (-1, 1):
            self._lay_out_side(side)
        self.ground = self._ground()

    def _lay_out_side(self, side):
        random, theme = self.random, self.theme
        verge = random.uniform(1.2, 3.0) if theme.verge or random.random() < 0.15 else 0.0
        garden = random.uniform(2.0, 6.0) if theme.floors < 3.2 else 0.0
        self.walk_width[side] = random.uniform(2.8, 5.5)
        self.kerb[side] = self.edges[side] + side * (PARKING_METERS if self.parking[side] else 0.3)
        self.walk[side] = self.kerb[side] + side * (KERB_METERS + verge)
        self.front[side] = self.walk[side] + side * (self.walk_width[side] + garden)

    def _ground(self):
        random = self.random
        surfaces = self._surfaces()
        sidewalk, grass, road = (surfaces[name] for name in ("sidewalk", "grass", "road"))
        court = random.choice((grass, surfaces["court"], sidewalk))
        bays = {side: surfaces["bay"] if self.parking[side] else road for side in (-1, 1)}
        walk_ends = {side: self.walk[side] + side * self.walk_width[side] for side in (-1, 1)}
        # Each strip after the x at which it ends, from left to right.
        strips = [(self.front[-1], court), (walk_ends[-1], grass), (self.walk[-1], sidewalk)]
        strips += [(self.kerb[-1] - KERB_METERS, grass), (self.kerb[-1], surfaces["kerb"]), (self.edges[-1], bays[-1])]
        if self.track:
            strips += [(self.track - 1.5, road), (self.track + 1.5, surfaces["track"])]
        strips += [(self.edges[1], road), (self.kerb[1], bays[1]), (self.kerb[1] + KERB_METERS, surfaces["kerb"])]
        strips += [(self.walk[1], grass), (walk_ends[1], sidewalk), (self.front[1], grass)]
        start = self.crossing[0]
        return Ground(
            edges=tuple(edge for edge, _ in strips),
            surfaces=(*(surface for _, surface in strips), court),
            crossing=self.crossing,
            lines=self._lines(),
            zebra=(start - 4.0, start - 1.2) if start and random.random() < 0.7 else (0.0, 0.0),
            rails=(self.track - 0.72, self.track + 0.72) if self.track else (),
            paint=random.choice(PAINT),
        )

    def _surfaces(self):
        random = self.random
        gray, tint = random.uniform(78, 132), random.uniform(-5, 5)
        asphalt = (gray + tint, gray, gray - tint + random.uniform(-2, 5))
        stone = random.uniform(124, 180)
        paved = (stone + random.uniform(0, 12), stone, stone - random.uniform(0, 12))
        road = Surface("road", asphalt, random.uniform(0.12, 0.32), 0.05, 0.0)
        bay = Surface("parking", tuple(1.12 * c + 8 for c in asphalt), 0.25, 0.06, random.choice((0.0, 0.3)))
        return {
            "road": road,
            "bay": bay if random.random() < 0.4 else road,
            "sidewalk": Surface("sidewalk", paved, 0.2, 0.045, random.choice((0.0, 0.4, 0.6, 1.0))),
            "kerb": Surface("sidewalk", (178, 176, 172), 0.2, 0.04, 0.0),
            "grass": Surface("terrain", random.choice(GRASS), 0.55, 0.13, 0.0),
            "court": Surface("ground", (140, 128, 112), 0.4, 0.07, 0.0),
            "track": Surface("rail track", tuple(0.92 * c + 6 for c in asphalt), 0.35, 0.07, random.choice((0.0, 0.5))),
        }

    def _lines(self):
        """Returns broken lines between lanes, except along a track, and usually solid lines at the road's edges."""
        edges = [(x, 0.14, 0.0, 0.0) for x in self.edges.values()]
        between = [(x + LANE_METERS / 2, 0.14, 9.0, 4.0) for x in self.lanes()[:-1]]
        between = [line for line in between if not (self.track and abs(line[0] - self.track) < 1.8)]
        return tuple(between if self.random.random() < 0.15 else edges + between)

    def lanes(self) -> list[float]:
        """Returns the x of the middle of each lane, from left to right; a track counts as a lane."""
        number = round((self.edges[1] - self.edges[-1]) / LANE_METERS)
        return [round(self.edges[-1] + (i + 0.5) * LANE_METERS, 2) for i in range(number)]

    def is_clear(self, z: float, margin: float = 2.5) -> bool:
        """Whether there is no crossing street within `margin` meters of depth `z`."""
        start, stop = self.crossing
        return not start or not start - margin < z < stop + margin

    def add(
        self,
        label: str | None,
        depth: float,
        draw: Callable[..., None],
        *arguments: Any,
        shadow: tuple | None = None,
        owner: Hashable = None,
        on_lot: bool = False,
    ) -> None:
        """Adds an `Item`, which is drawn by `draw(canvas, *arguments)`.

        Args:
            label: name of its label; None if `draw` calls `Canvas.begin` itself.
            depth, shadow, on_lot: as in `Item`.
            draw: function that draws it.
            *arguments: arguments of `draw` after the canvas.
            owner: as in `Canvas.begin`.
        """

        def begin_and_draw(canvas):
            if label is not None:
                canvas.begin(label, depth, owner)
            draw(canvas, *arguments)

        self.items.append(Item(depth, begin_and_draw, shadow, on_lot))


def build_street(random: Random, number: int) -> Street:
    """Builds a street of the theme `THEMES[number % len(THEMES)]`, with its items in drawing order."""
    street = Street(random, THEMES[number % len(THEMES)])
    lots.build(street)
    sidewalks.furnish(street)
    traffic.fill(street)
    street.items.sort(key=lambda item: (not item.on_lot, -item.depth))
    return street
