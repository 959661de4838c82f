"""Draws people, riders, bicycles and motorcycles as flat figures across the street."""

import math

from keras_hrnet.streets.canvas import Board, Canvas, Color, shaded

NARROW = 0.3
SKIN = ((236, 196, 170), (214, 168, 138), (172, 124, 92), (120, 82, 58), (84, 58, 44))
HAIR = ((30, 24, 20), (70, 48, 30), (130, 96, 60), (190, 160, 110), (150, 148, 146))
CLOTHES = (
    (28, 30, 36), (52, 56, 66), (90, 92, 96), (150, 148, 144), (214, 212, 206), (30, 44, 84), (58, 84, 130),
    (110, 30, 34), (170, 44, 40), (44, 70, 50), (96, 110, 60), (120, 92, 66), (186, 154, 110), (200, 120, 40),
    (120, 60, 110), (220, 190, 70), (70, 130, 140), (210, 130, 150),
)  # fmt: skip


def person(canvas: Canvas, x: float, z: float, height: float, sideways: bool = False, child: bool = False) -> None:
    """Draws a person who stands or walks."""
    random = canvas.random
    scale = height / 1.75
    board = canvas.board(x, z, random.choice((-1, 1)))
    jacket, trousers, skin, hair = (random.choice(group) for group in (CLOTHES, CLOTHES, SKIN, HAIR))
    step = random.uniform(0.05, 0.38) if sideways else random.uniform(0.0, 0.12)
    shoulder = (0.16 if sideways else 0.23) * (0.9 if child else 1.0)
    skirt, bag = random.random() < 0.18, random.random() < 0.3

    def limb(points, width, color):
        board.line([(right * scale, up * scale) for right, up in points], width * scale, color)

    for sign in (-1, 1):
        foot = sign * step
        knee = (sign * (0.08 + 0.5 * step), 0.48)
        limb([(sign * 0.08, 0.92), knee, (foot + sign * 0.06, 0.06)], 0.17, trousers)
        limb([(foot + sign * 0.06, 0.04), (foot + sign * 0.06 + 0.14 * sideways, 0.03)], 0.09, (24, 22, 22))
    if skirt:
        outline = [(-0.24, 0.55), (0.24, 0.55), (0.15, 1.0), (-0.15, 1.0)]
        board.polygon([(right * scale, up * scale) for right, up in outline], trousers)
    darker = shaded(jacket, 0.78)
    swing = 0.7 * step
    for sign in (-1, 1):
        hand = (sign * (shoulder + 0.06) + sign * swing * sideways, 0.82)
        limb([(sign * shoulder * 0.92, 1.38), (sign * (shoulder + 0.05), 1.1), hand], 0.11, darker)
        board.ellipse(hand[0] * scale, hand[1] * scale, 0.05 * scale, 0.06 * scale, skin)
    torso = [
        (-shoulder * 0.8, 0.84), (shoulder * 0.8, 0.84), (shoulder * 0.85, 1.1), (shoulder, 1.36),
        (shoulder * 0.6, 1.47), (-shoulder * 0.6, 1.47), (-shoulder, 1.36), (-shoulder * 0.85, 1.1),
    ]  # fmt: skip
    board.polygon([(right * scale, up * scale) for right, up in torso], jacket)
    if bag:
        color = random.choice(CLOTHES)
        if random.random() < 0.5:
            board.box(-0.15 * scale, 1.0 * scale, 0.15 * scale, 1.42 * scale, color)
        else:
            board.box((shoulder + 0.02) * scale, 0.6 * scale, (shoulder + 0.26) * scale, 0.86 * scale, color)
    limb([(0.0, 1.42), (0.0, 1.54)], 0.11, skin)
    head(board, 0.0, 1.63 * scale, scale, skin, hair, random.random() < 0.5)


def head(board: Board, right: float, up: float, scale: float, skin: Color, hair: Color, from_behind: bool) -> None:
    board.ellipse(right, up + 0.02 * scale, 0.105 * scale, 0.135 * scale, hair)
    if not from_behind:
        board.ellipse(right, up - 0.02 * scale, 0.085 * scale, 0.105 * scale, skin)


def helmet(board: Board, right: float, up: float, skin: Color, color: Color) -> None:
    board.ellipse(right, up - 0.02, 0.09, 0.12, skin)
    board.ellipse(right, up + 0.05, 0.13, 0.10, color)


def bicycle(board: Board, color: Color) -> None:
    """Draws a bicycle along the board; on a board with a small `stretch`, it is seen from behind."""
    narrow = abs(board.stretch) < NARROW
    for hub in (-0.52, 0.52):
        board.ellipse(hub, 0.34, 0.35 if not narrow else 0.30, 0.35, (28, 28, 30))
        board.ellipse(hub, 0.34, 0.29 if not narrow else 0.14, 0.29, (96, 98, 100))
        board.ellipse(hub, 0.34, 0.05, 0.05, (40, 40, 42))
    rear, front, saddle, bars, pedals = (-0.52, 0.34), (0.52, 0.34), (-0.22, 0.86), (0.36, 0.92), (-0.08, 0.30)
    frame = ((rear, pedals), (pedals, saddle), (pedals, bars), (saddle, bars), (rear, saddle), (bars, front))
    for tube in frame:
        board.line(tube, 0.05, color)
    board.line([(saddle[0] - 0.12, 0.92), (saddle[0] + 0.12, 0.92)], 0.08, (20, 20, 22))
    reach = 0.28 / abs(board.stretch) if narrow else 0.12
    board.line([(0.36 - reach, 1.02), (0.36 + reach, 1.02)], 0.05, (40, 40, 42))
    if narrow:
        lamp = 0.05 / abs(board.stretch)
        board.box(-lamp, 0.62, lamp, 0.70, (200, 40, 34))


def motorcycle(board: Board, color: Color) -> None:
    """Draws a motorcycle or scooter along the board; on a board with a small `stretch`, it is seen from behind."""
    narrow = abs(board.stretch) < NARROW
    for hub in (-0.68, 0.68):
        board.ellipse(hub * (0.4 if narrow else 1), 0.33, 0.33, 0.33, (24, 24, 26))
        board.ellipse(hub * (0.4 if narrow else 1), 0.33, 0.18, 0.18, (120, 122, 126))
    grow = 0.5 if narrow else 1.0
    body = (-0.75, 0.62, -0.35, 0.38, 0.35, 0.36, 0.58, 0.7, 0.38, 1.0, 0.05, 0.95, -0.3, 0.78, -0.85, 0.82)
    board.polygon([(a * grow, y) for a, y in zip(body[::2], body[1::2], strict=True)], color)
    board.polygon([(-0.3 * grow, 0.34), (0.3 * grow, 0.34), (0.25 * grow, 0.62), (-0.25 * grow, 0.62)], (52, 54, 58))
    board.line([(-0.8 * grow, 0.84), (0.0, 0.84)], 0.12, (22, 22, 24))
    board.line([(0.68 * grow, 0.33), (0.45 * grow, 1.05)], 0.08, (130, 132, 136))
    reach = 0.36 / abs(board.stretch) if narrow else 0.1
    board.line([(0.42 * grow - reach, 1.08), (0.42 * grow + reach, 1.08)], 0.06, (36, 36, 38))
    if narrow:
        wide = 1 / abs(board.stretch)
        board.box(-0.17 * wide, 0.50, 0.17 * wide, 0.84, color)
        board.box(-0.10 * wide, 0.70, 0.10 * wide, 0.79, (196, 30, 28))
        board.box(-0.11 * wide, 0.42, 0.11 * wide, 0.54, (225, 225, 218))
    else:
        board.lamp(0.62, 0.86, 0.09, (240, 240, 220))


def vehicle(canvas: Canvas, x: float, z: float, stretch: float, kind: str, color: Color) -> None:
    """Draws a `"bicycle"` or a `"motorcycle"`; `stretch` is as in `Board`."""
    {"bicycle": bicycle, "motorcycle": motorcycle}[kind](canvas.board(x, z, stretch), color)


def rider(canvas: Canvas, x: float, z: float, stretch: float, kind: str) -> None:
    """Draws a person on a vehicle that `vehicle` has drawn at the same place."""
    on_motorcycle = kind == "motorcycle"
    random = canvas.random
    board = canvas.board(x, z, stretch)
    jacket, trousers, skin, hair = (random.choice(group) for group in (CLOTHES, CLOTHES, SKIN, HAIR))
    helmeted = on_motorcycle or random.random() < 0.4
    color = random.choice(CLOTHES)
    seat, lean = ((-0.25, 0.92), 0.22) if on_motorcycle else ((-0.22, 1.0), 0.30)
    shoulders = (seat[0] + lean, seat[1] + 0.50)
    narrow = abs(stretch) < NARROW
    flat = canvas.board(x + stretch * seat[0], z)
    darker = shaded(jacket, 0.78)
    if narrow:
        y = seat[1]
        for sign, foot in ((-1, 0.4), (1, 0.22)):
            flat.line([(sign * 0.09, y), (sign * 0.17, 0.62), (sign * 0.13, foot)], 0.15, trousers)
            flat.line([(sign * 0.2, y + 0.46), (sign * 0.3, y + 0.2), (sign * 0.25, y + 0.06)], 0.11, darker)
        half = [(0.17, y - 0.06), (0.23, y + 0.42), (0.14, y + 0.55)]
        flat.polygon([(-0.17, y - 0.06), *half, *((-right, up) for right, up in half[:0:-1])], jacket)
        crown = (flat, 0.0)
    else:
        hand = (0.34, 1.06)
        for foot in ((0.0, 0.2), (-0.16, 0.42)):
            knee = (0.16 + foot[0] * 0.3, 0.64 + 0.3 * (foot[1] - 0.2))
            board.line([seat, knee, foot], 0.15, trousers)
            board.line([foot, (foot[0] + 0.16, foot[1] - 0.03)], 0.08, (24, 22, 22))
        across, up = shoulders[0] - seat[0], shoulders[1] - seat[1]
        length = math.hypot(across, up)
        side = (0.13 * up / length, -0.13 * across / length)
        corners = ((seat, -1), (seat, 1), (shoulders, 1), (shoulders, -1))
        board.polygon([(x + sign * side[0], y + sign * side[1]) for (x, y), sign in corners], jacket)
        board.line([shoulders, (0.14, 1.16), hand], 0.10, darker)
        crown = (board, shoulders[0] + 0.1)
    (where, right), up = crown, seat[1] + 0.70
    where.line([(right - 0.03, up - 0.22), (right, up - 0.08)], 0.11, skin)
    if helmeted:
        helmet(where, right, up, skin, color)
    else:
        head(where, right, up, 1.0, skin, hair, narrow)
