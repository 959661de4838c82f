"""Fills a street with vehicles and riders."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from keras_hrnet.streets import cars, figures, vehicles
from keras_hrnet.streets.shadows import rectangle
from keras_hrnet.streets.solid import Pose

if TYPE_CHECKING:
    from keras_hrnet.streets.street import Street

AWAY, TOWARDS, TO_THE_RIGHT = 0.0, math.pi, math.pi / 2
TRAM_MODULE_METERS = 7.0


def fill(street: Street) -> None:
    """Adds parked cars, traffic, riders, and parked bicycles and motorcycles."""
    for side in (-1, 1):
        if street.parking[side]:
            _park(street, side)
    _drive(street)
    _ride(street)
    for name in ("bicycles", "motorcycles"):
        if name in street.theme.sure or street.random.random() < 0.3:
            _stand(street, name)


def _vehicle(street, kind, x, z, yaw):
    """Adds a vehicle, and returns its extent in depth, in meters.

    Args:
        kind: its label: `"car"`, `"truck"`, `"bus"`, `"caravan"` or `"trailer"`.
        x, z: x of its center, and approximate z of its nearest point, in meters.
        yaw: as in `Pose`.
    """
    random = street.random
    bright, stripe = ([random.uniform(30, 230) for _ in range(3)] for _ in range(2))
    paint = random.choice(cars.CAR_COLORS)
    cargo = random.choice((bright, (220, 220, 216), (170, 172, 174), stripe))
    shape = random.choice(list(cars.CAR_SHAPES))
    build = cars.CAR_SHAPES[shape]
    length, width, high = build.length, build.width, build.height
    draw, arguments = cars.car, (shape, paint, random.random() < 0.06)
    if kind == "bus":
        length, width, high = random.choice((9.5, 12.0)), 2.5, 3.05
        draw, arguments = vehicles.bus, (bright, stripe)
    elif kind == "truck":
        length, width, high = random.uniform(7.0, 11.0), 2.45, 3.6
        draw, arguments = vehicles.truck, (paint, cargo, stripe)
    elif kind == "caravan":
        length, width, high = 5.2, 2.2, 2.5
        draw, arguments = vehicles.caravan, (stripe,)
    elif kind == "trailer":
        length, width, high = 2.8, 1.7, 1.55
        draw, arguments = vehicles.trailer, (stripe,)
    reach = abs(length * math.cos(yaw)) + abs(width * math.sin(yaw))
    pose = Pose(x, z + reach / 2, yaw, length, width)
    shadow = (rectangle(x, pose.z, width, length, yaw), 0.1, high)
    street.add(kind, z, draw, pose, *arguments, shadow=shadow)
    return reach


def _park(street, side):
    random = street.random
    x = street.kerb[side] - side * 1.2
    yaw = AWAY if side > 0 else TOWARDS
    z = random.uniform(6.0, 11.0)
    caravan = "caravan" in street.theme.sure
    while z < 68:
        if street.is_clear(z + 2, 7.0) and random.random() < 0.78:
            kind = "caravan" if caravan and z > 9 else "car"
            caravan = caravan and kind == "car"
            z += _vehicle(street, kind, x + random.uniform(-0.12, 0.12), z, yaw + random.uniform(-0.03, 0.03))
        else:
            z += 5.0
        z += random.uniform(0.7, 1.8)


def _drive(street):
    """Fills the lanes, first with the theme's buses and trucks, which are beside the camera's lane if possible."""
    random = street.random
    sure = [name for name in street.theme.sure if name in ("bus", "truck")]
    lanes = [x for x in street.lanes() if x != street.track]
    for x in sorted(lanes, key=lambda x: (x == 0, abs(x))):
        first = sure.pop(0) if sure and (x != 0 or len(lanes) <= 2) else None
        _fill_lane(street, x, first)
    if street.track:
        _tram(street, street.track)
    start, stop = street.crossing
    for z, yaw in ((start + 1.2, TO_THE_RIGHT), (stop - 3.2, -TO_THE_RIGHT)) if start else ():
        if random.random() < 0.75:
            kind = random.choices(("car", "bus", "truck"), (5, 1, 1))[0]
            _vehicle(street, kind, random.uniform(-9, 9), z, yaw + random.uniform(-0.06, 0.06))


def _fill_lane(street, x, first):
    """Fills a lane from near to far; the nearest vehicle is of the kind `first`, unless that is None."""
    random = street.random
    yaw = AWAY if x > -1 else TOWARDS
    z = random.uniform(14, 24) if first else random.uniform(12, 45) if x == 0 else random.uniform(7, 30)
    if "trailer" in street.theme.sure and x == 0:
        z = random.uniform(13, 20)
        z += _vehicle(street, "trailer", x, z, AWAY) + 0.8
        z += _vehicle(street, "car", x, z, AWAY) + 10
    while z < 95:
        kind = first or random.choices(("car", "truck", "bus"), (24, 1, 1))[0]
        first = None
        if kind != "car" or street.is_clear(z + 2, 2.0) or random.random() < 0.3:
            z += _vehicle(street, kind, x + random.uniform(-0.25, 0.25), z, yaw + random.uniform(-0.02, 0.02))
        z += random.uniform(5, 26)


def _tram(street, x):
    random = street.random
    color = [random.uniform(60, 235) for _ in range(3)]
    stripe = [random.uniform(30, 220) for _ in range(3)]
    yaw = random.choice((AWAY, TOWARDS))
    z = random.uniform(15, 28)
    # Each module has its own depth, so that objects beside a long tram are hidden only by modules in front of them.
    for i in range(random.choice((3, 4))):
        pose = Pose(x, z + TRAM_MODULE_METERS / 2, yaw, TRAM_MODULE_METERS, 2.4)
        shadow = (rectangle(x, pose.z, pose.width, pose.length), 0.1, 3.4)
        street.add("train", z, vehicles.tram, pose, color, stripe, i == 0, shadow=shadow, owner="tram")
        z += TRAM_MODULE_METERS


def _ride(street):
    """Adds riders: one at the edge of the road, seen from the front or rear, and one that is seen from the side."""
    random = street.random
    for name, vehicle, chance in (("cyclist", "bicycle", 0.35), ("motorcyclist", "motorcycle", 0.2)):
        near = random.uniform(9, 15)
        along, across = (random.choice((-1, 1)) * random.uniform(*part) for part in ((0.09, 0.16), (0.7, 1.0)))
        edge, side = street.edges[1] - random.uniform(0.1, 0.5), street.open_side
        before_traffic = random.uniform(-1.2, 1.4), random.uniform(8.5, 11.5)
        on_sidewalk = street.walk[side] + side * random.uniform(0.5, 2.0), random.uniform(10, 17)
        place = random.choice((before_traffic, on_sidewalk))
        sure = name in street.theme.sure
        if sure or random.random() < chance:
            _rider(street, edge, near, along, vehicle)
        if sure:
            _rider(street, *place, across, vehicle)


def _rider(street, x, z, stretch, vehicle):
    paint = street.random.choice(cars.CAR_COLORS)
    shadow = (rectangle(x, z, max(0.4, 1.7 * abs(stretch)), 0.5), 0.0, 1.6)
    street.add(vehicle, z, figures.vehicle, x, z, stretch, vehicle, paint, shadow=shadow)
    street.add("rider", z - 1e-3, figures.rider, x, z, stretch, vehicle)


def _stand(street, name):
    """Adds parked bicycles or motorcycles on a sidewalk."""
    random = street.random
    side, vehicle = street.open_side, name.removesuffix("s")
    x = street.walk[side] + side * random.uniform(0.5, 1.2)
    z = random.uniform(9, 14)
    for _ in range(random.randrange(2, 6)):
        stretch = random.choice((-1, 1)) * random.uniform(0.5, 0.95)
        paint = random.choice(cars.CAR_COLORS)
        shadow = (rectangle(x, z, 1.2 * abs(stretch), 0.4), 0.0, 0.9)
        street.add(vehicle, z, figures.vehicle, x, z, stretch, vehicle, paint, shadow=shadow)
        z += random.uniform(0.6, 1.4)
