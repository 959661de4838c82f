"""Fills the sidewalks with objects and people, and adds traffic lights and signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_hrnet.streets import figures, furniture, signals
from keras_hrnet.streets.lots import add_hedge, add_tree
from keras_hrnet.streets.shadows import rectangle

if TYPE_CHECKING:
    from keras_hrnet.streets.street import Street

BETWEEN_LANES = 1.65


def furnish(street: Street) -> None:
    """Fills both sidewalks of a street."""
    for side in (-1, 1):
        _plant(street, side)
        _raise_poles(street, side)
        _put_signs(street, side)
        _leave_things(street, side)
    _put_lights(street)
    _let_walk(street)


def _plant(street, side):
    """Plants, in some streets, a row of trees along the road and a few bushes in front of the houses."""
    random = street.random
    if random.random() < 0.65:
        x = street.kerb[side] + 0.5 * (street.walk[side] - street.kerb[side]) + side * 0.8
        spacing, z = random.uniform(9, 18), random.uniform(9, 20)
        height = random.uniform(5, 10)
        while z < 110:
            if street.is_clear(z) and random.random() < 0.85:
                add_tree(street, x, z, height * random.uniform(0.8, 1.2))
            z += spacing
    if random.random() < 0.5:
        for _ in range(4):
            z = random.uniform(10, 60)
            if street.is_clear(z, 5.0):
                x = street.front[side] - side * 0.4
                add_hedge(street, x, z, random.uniform(1.0, 2.2), random.uniform(0.7, 1.5))


def _raise_poles(street, side):
    """Adds street lamps or poles, and in some streets bollards or a group of poles."""
    random = street.random
    x = street.kerb[side] + side * 0.55
    color, height = random.choice(furniture.STEEL), random.uniform(5.5, 8.5)
    draw = furniture.street_lamp if random.random() < 0.7 else furniture.pole
    z = random.uniform(8, 16)
    while z < 110:
        if street.is_clear(z, 1.0):
            street.add("pole", z, draw, x, z, height, color, shadow=(rectangle(x, z, 0.16, 0.16), 0.0, height))
        z += random.uniform(12, 24)
    for i in range(random.choice((0, 0, 5, 8))):
        z = 9 + 2.2 * i
        street.add("pole", z, furniture.pole, street.kerb[side] + side * 0.35, z, 0.95, color)
    if random.random() < 0.3:
        z = random.uniform(14, 40)
        street.add("polegroup", z, furniture.pole_group, x + side * 0.4, z, color)


def _put_signs(street, side):
    random = street.random
    z = random.uniform(9, 15)
    while z < 70:
        kind = random.choice(signals.SIGNS)
        second = random.choice(signals.SMALL_SIGNS) if kind in signals.SMALL_SIGNS and random.random() < 0.3 else None
        x, low = street.kerb[side] + side * random.uniform(0.4, 1.0), random.uniform(2.0, 2.5)
        shadow = (rectangle(x, z, 0.1, 0.1), 0.0, low)
        color = random.choice(furniture.STEEL)
        street.add(None, z, signals.sign_on_pole, x, z, low, color, kind, second, shadow=shadow)
        z += random.uniform(10, 26)


def _put_lights(street):
    random = street.random
    start = street.crossing[0]
    if not start and random.random() < 0.6:
        return
    z = (start or random.uniform(22, 38)) - 0.8
    mast = random.choice((3.6, 5.6, 6.0))
    for side in (-1, 1):
        over_road = mast > 5 and side > 0
        street.add(None, z, signals.traffic_light, street.kerb[side] + side * 0.5, z, mast, over_road)
    if random.random() < 0.6:
        street.add(None, z - 8, signals.traffic_light, street.kerb[1] + 0.5, z - 8, 3.6, False)


def _leave_things(street, side):
    """Adds objects without a class of their own: trash cans, columns, strollers, and a guard rail along some roads."""
    random = street.random
    things = (("static", furniture.dustbin, 1.0, 0.7), ("static", furniture.column, 2.9, 0.25))
    for label, draw, high, chance in (*things, ("dynamic", furniture.pram, 1.0, 0.5)):
        z = random.uniform(9, 34)
        x = street.walk[side] + side * random.uniform(0.4, 0.5 * street.walk_width[side] + 0.5)
        color = random.choice(figures.CLOTHES)
        if random.random() < chance:
            street.add(label, z, draw, x, z, color, shadow=(rectangle(x, z + 0.3, 0.6, 0.6), 0.0, high))
    if side == street.open_side and street.theme.lanes[1] and not street.theme.crossing:
        x = street.kerb[side] + side * 0.3
        for i in range(2, 26):
            # Sorted by its far end, so that vehicles in front of it are drawn later.
            street.add("guard rail", 2.0 * i + 2, furniture.guard_rail, x, 2.0 * i, 2.0 * i + 2)


def _let_walk(street):
    random = street.random
    for _ in range(max(1, round(street.theme.persons * random.uniform(0.6, 1.5)))):
        side = random.choice((-1, 1))
        z = 7 + 60 * random.random() ** 1.6
        x = street.walk[side] + side * random.uniform(0.1, street.walk_width[side] - 0.3)
        _add_person(street, x, z)
        if random.random() < 0.3:
            _add_person(street, x + 0.55, z + random.uniform(-0.2, 0.4))
    if street.crossing[0]:
        for _ in range(random.randrange(1, 5)):
            x = random.uniform(street.kerb[-1], street.kerb[1])
            _add_person(street, x, street.crossing[0] - random.uniform(1.3, 3.8))
    elif random.random() < 0.5:
        _add_person(street, random.choice((-1, 1)) * BETWEEN_LANES, random.uniform(14, 40))


def _add_person(street, x, z):
    random = street.random
    child = random.random() < 0.12
    height = random.uniform(1.05, 1.4) if child else random.uniform(1.58, 1.9)
    shadow = (rectangle(x, z, 0.42, 0.3), 0.0, height)
    street.add("person", z, figures.person, x, z, height, random.random() < 0.5, child, shadow=shadow)
