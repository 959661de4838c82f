"""Draws the rooms of the package and which imports which, as `.github/map.svg`.

Command: python tests/code_map.py. It reads the imports, takes a second, and writes the file; a test compares the two.
"""

import ast
import html
import pathlib
import textwrap

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "keras_hrnet"
PICTURE = ROOT / ".github" / "map.svg"

LEFT_OUT = {"__init__", "__main__", "version"}
BOX_WIDTH, BOX_HEIGHT, GAP, LEVEL_HEIGHT, MARGIN = 196, 76, 18, 120, 24


def room_of(path):
    """Returns the folder or file of the package that a source file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Lists the rooms that a source file imports when it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [x for x in ast.walk(tree) if isinstance(x, ast.If) and getattr(x.test, "id", "") == "TYPE_CHECKING"]
    for_types = {id(node) for block in blocks for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            whole = node.module == "keras_hrnet"
            names = [f"keras_hrnet.{alias.name}" for alias in node.names] if whole else [node.module or ""]
        yield from (name.split(".")[1] for name in names if name.startswith("keras_hrnet."))


def read_arrows():
    """Returns the rooms that each room imports."""
    arrows = {room_of(path): set() for path in sorted(PACKAGE.rglob("*.py"))}
    for path in sorted(PACKAGE.rglob("*.py")):
        arrows[room_of(path)] |= set(imported_rooms(path)) & set(arrows)
    return {room: targets - LEFT_OUT - {room} for room, targets in arrows.items() if room not in LEFT_OUT}


def depth(room, arrows):
    """Returns the length of the longest way from a room to one that imports none."""
    return max((1 + depth(target, arrows) for target in arrows[room]), default=0)


def reached(room, arrows):
    """Returns all rooms that a room imports, directly or through others."""
    return set().union(*({target} | reached(target, arrows) for target in arrows[room]))


def reduced(arrows):
    """Leaves out the arrows that follow from others."""
    return {
        room: {x for x in targets if not any(x in reached(other, arrows) for other in targets - {x})}
        for room, targets in arrows.items()
    }


def arranged(arrows):
    """Returns the rooms of each level, those at the top first, in an order that crosses few arrows."""
    levels = {}
    for room in sorted(arrows):
        levels.setdefault(depth(room, arrows), []).append(room)
    rows = [levels[level] for level in sorted(levels, reverse=True)]
    for _ in range(8):
        places = {room: (i + 0.5) / len(row) for row in rows for i, room in enumerate(row)}
        for row in rows:

            def middle(room, places=places):
                near = [places[x] for x in arrows[room]] + [places[x] for x in arrows if room in arrows[x]]
                return sum(near) / len(near) if near else places[room]

            row.sort(key=lambda room: (round(middle(room), 6), room))
    return rows


def summary(room):
    """Returns the first sentence of a room's docstring."""
    folder = PACKAGE / room
    files = sorted(folder.glob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]
    docstring = next(filter(None, (ast.get_docstring(ast.parse(x.read_text(encoding="utf-8"))) for x in files)), "")
    return docstring.split("\n")[0].rstrip(".")


def draw():
    """Returns the picture as SVG."""
    arrows = reduced(read_arrows())
    rows = arranged(arrows)
    width = max(len(row) for row in rows) * (BOX_WIDTH + GAP) - GAP + 2 * MARGIN
    height = (len(rows) - 1) * LEVEL_HEIGHT + BOX_HEIGHT + 2 * MARGIN
    corners = {}
    for i, row in enumerate(rows):
        step = max(width / (len(row) + 1), BOX_WIDTH + GAP)
        left = width / 2 - (len(row) - 1) / 2 * step - BOX_WIDTH / 2
        corners |= {room: (left + j * step, MARGIN + i * LEVEL_HEIGHT) for j, room in enumerate(row)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" role="img">',
        "<title>The rooms of keras_hrnet; an arrow reads “imports”, and arrows that follow from others are left out"
        "</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#5b7083"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="12" fill="#ffffff"/>',
    ]
    for room in sorted(arrows):
        for target in sorted(arrows[room]):
            x, y = corners[room][0] + BOX_WIDTH / 2, corners[room][1] + BOX_HEIGHT
            to_x, to_y = corners[target][0] + BOX_WIDTH / 2, corners[target][1]
            bend = (to_y - y) / 2
            parts.append(
                f'<path d="M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}" '
                'fill="none" stroke="#5b7083" stroke-opacity=".6" stroke-width="1.4" marker-end="url(#head)"/>'
            )
    for room, (x, y) in sorted(corners.items()):
        parts.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" fill="#eef4fa" '
            'stroke="#2f6fa8"/>'
        )
        middle = x + BOX_WIDTH / 2
        parts.append(
            f'<text x="{middle:.0f}" y="{y + 20:.0f}" font-size="14" font-weight="bold" text-anchor="middle" '
            f'fill="#12344f">{html.escape(room)}</text>'
        )
        lines = textwrap.wrap(summary(room), 33, max_lines=3, placeholder=" …")
        for i, line in enumerate(lines):
            parts.append(
                f'<text x="{middle:.0f}" y="{y + 37 + 14 * i:.0f}" font-size="11" text-anchor="middle" '
                f'fill="#33475b">{html.escape(line)}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(), encoding="utf-8")
