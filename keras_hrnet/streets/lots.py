"""Fills the lots beyond the sidewalks with houses, or with trees behind walls and fences, and closes a street's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_hrnet.streets import buildings, furniture, plants
from keras_hrnet.streets.shadows import rectangle

if TYPE_CHECKING:
    from keras_hrnet.streets.street import Street

STONE = ((150, 146, 138), (120, 112, 104), (176, 168, 152), (140, 92, 76), (96, 70, 50))
WOOD = ((122, 88, 58), (150, 120, 84), (206, 204, 196))
CONCRETE = ((160, 156, 148), (132, 128, 122), (150, 118, 100), (98, 112, 110))
LAST_METER = 150.0
# Depths at which the open side has no houses, as multiples of its distance to the side. A closer lot is out of view.
OPEN_FROM, OPEN_TO = 1.2, 4.0


def build(street: Street) -> None:
    """Builds on both sides of a street, and across its end."""
    for side in (-1, 1):
        _build_side(street, side)
    _close_end(street)
    _span(street)


def _build_side(street, side):
    random, theme = street.random, street.theme
    start, stop = street.crossing
    aside = abs(street.front[side])
    z = -6.0
    while z < LAST_METER:
        end = z + random.uniform(9, 24)
        # Some lots on the open side never have houses, so that their wall or fence is always visible.
        opened = side == street.open_side and OPEN_FROM * aside < end and z < OPEN_TO * aside
        if start and end > start - 4 and z < stop + 4:
            if opened and z < start - 8:
                _leave_open(street, side, z, start - 3, sure=True)
            end = max(end, stop + 4)
        elif opened or random.random() < theme.gap:
            _leave_open(street, side, z, end, sure=opened)
        else:
            x = street.front[side] + side * random.choice((0.0, 0.0, 0.3, 1.0))
            _add_house(street, x, z, end)
            if random.random() < 0.3:
                end += random.uniform(1.5, 5.0)
        z = end


def _add_house(street, x, start, end):
    house = buildings.choose_house(street.random, x, start, end, street.theme.floors)
    middle = x + (house.depth if x > 0 else -house.depth) / 2
    corners = rectangle(middle, (start + end) / 2, house.depth, end - start)
    shadow = (corners, 0.0, house.eaves + 0.5 * house.ridge, False)
    street.add(None, start, buildings.draw_house, house, shadow=shadow, on_lot=True)


def _leave_open(street, side, start, end, sure):
    """Fills an open lot: usually a wall, a fence or a hedge at its edge, trees, and a house or a hedge behind them."""
    random = street.random
    x = street.front[side]
    if random.random() < 0.5:
        _add_house(street, x + side * random.uniform(14, 22), start - 4, end + 4)
    else:
        add_hedge(street, x + side * 22, start + 8, 26, random.uniform(4, 8), on_lot=True)
    for _ in range(2):
        z = random.uniform(start, end) + 2
        add_tree(street, x + side * random.uniform(4, 16), z, random.uniform(6, 13), on_lot=True)
    _bound(street, side, max(start, 3.0), end, sure)


def _bound(street, side, start, end, sure):
    random = street.random
    edge = street.theme.edge if sure else random.choice(("wall", "fence", "hedge", "none"))
    x = street.front[side]
    kind, brick = random.choice(("planks", "planks", "bars", "mesh")), random.random() < 0.4
    stone, steel = random.choice(STONE), random.choice((*furniture.STEEL, *WOOD))
    high = random.uniform(1.8, 2.8) if edge == "wall" else random.uniform(1.1, 1.9)
    z = start
    while z < end:
        stop = min(z + 4.0, end)
        if edge == "wall":
            street.add(None, z, furniture.wall, x, z, stop, high, stone, brick, on_lot=True)
        elif edge == "fence":
            street.add("fence", z, furniture.fence, x, z, stop, high, steel, kind, on_lot=True)
        elif edge == "hedge":
            for place in (stop - 1, z + 1):
                add_hedge(street, x + side, place, 2.6, high + 0.4, on_lot=True)
        z = stop


def _close_end(street):
    """Closes the end of the street with hills, and in some streets a house or trees in front of them."""
    random = street.random
    z = random.uniform(LAST_METER, 210)
    left, right = street.front[-1] - 12, street.front[1] + 12
    x = left - 30
    while x < right + 30:
        width = random.uniform(24, 40)
        add_hedge(street, x, z + 30, 1.5 * width, random.uniform(6, 12), on_lot=True)
        x += 0.7 * width
    kind = random.choice(("houses", "trees", "trees", "open"))
    if kind == "houses":
        house = buildings.choose_house(random, left, z, z + 10, street.theme.floors)
        street.add(None, z, buildings.draw_end, house, left, right, on_lot=True)
    elif kind == "trees":
        for _ in range(7):
            add_tree(street, random.uniform(left, right), z - random.uniform(0, 30), random.uniform(7, 14), on_lot=True)


def _span(street):
    """Leads some of the wide roads under a bridge or into a tunnel."""
    random = street.random
    chance, color = random.random(), random.choice(CONCRETE)
    if street.theme.edge != "wall" or street.theme.crossing or chance > 0.75:
        return
    left, right = street.kerb[-1] - 2, street.kerb[1] + 2
    if chance < 0.3:
        street.add("tunnel", 110.0, furniture.tunnel, 110.0, left, right, color)
    else:
        z = random.uniform(45, 90)
        street.add("bridge", z, furniture.bridge, z, left, right, 5.2, color)


def add_tree(street: Street, x: float, z: float, height: float, on_lot: bool = False) -> None:
    """Adds a tree and its shadow."""
    width = street.random.uniform(0.65, 0.85) * height
    color = street.random.choice(plants.GREENS)
    shadow = (rectangle(x, z, 0.6 * width, 0.6 * width), 0.35 * height, 0.95 * height, False)
    street.add("vegetation", z, plants.tree, x, z, height, width, color, shadow=shadow, on_lot=on_lot)


def add_hedge(street: Street, x: float, z: float, length: float, height: float, on_lot: bool = False) -> None:
    """Adds a hedge across the view that is `length` meters long."""
    color = street.random.choice(plants.GREENS)
    street.add("vegetation", z, plants.hedge, x, z, length, height, color, on_lot=on_lot)
