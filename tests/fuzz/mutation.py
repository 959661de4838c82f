"""Damages files: bytes, JSON inside, and members of zip files, each reproducibly from a random generator."""

import io
import json
import zipfile

SIZES = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
ODD_VALUES = (
    None, True, -1, 0, 1, 255, 4096, 2**31, 2**40, 2**63, 1e308, float("nan"), float("inf"), "", "x", "../../etc", "\0",
    "\x1b[2J", "é" * 200, [], {}, [[]], {"": None}, [1, 2, 3], ["x"], [None], {"class_name": "Dense"},
)  # fmt: skip


def damage_bytes(content, generator):
    """Changes, removes, repeats or inserts some bytes, between one and eight times."""
    content = bytearray(content)
    for _ in range(generator.choice((1, 1, 1, 2, 4, 8))):
        place = generator.randrange(len(content) + 1)
        generator.choice(_CHANGES)(content, place, generator)
    return bytes(content)


def damage_json(content, generator):
    """Replaces, removes, renames or nests some values of a JSON document; now and then damages its text."""
    if generator.random() < 0.15:
        return damage_bytes(content, generator)
    document = json.loads(content)
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        document = _damage_value(document, generator)
    return json.dumps(document).encode()


def damage_member(content, generator, damages):
    """Damages one member of a zip file, whose checksum is then right; now and then the zip file itself.

    Args:
        damages: for the ends of members' names, the function that damages such a member; others are damaged as bytes.
    """
    if generator.random() < 0.3:
        return damage_bytes(content, generator)
    members = zip_members(content)
    name = generator.choice(list(members))
    damage = next((function for end, function in damages.items() if name.endswith(end)), damage_bytes)
    fate = generator.random()
    if fate < 0.05:
        del members[name]
    else:
        members[name] = damage(members[name], generator)
    return zipped(members, zipfile.ZIP_DEFLATED if fate > 0.9 else zipfile.ZIP_STORED)


def zip_members(content):
    """Returns the contents of a zip file by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members, compression=zipfile.ZIP_STORED):
    """Returns a zip file of contents by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _flip(content, place, generator):
    if place < len(content):
        content[place] ^= 1 << generator.randrange(8)


def _overwrite(content, place, generator):
    content[place : place + 8] = generator.randbytes(generator.randrange(1, 9))


def _number(content, place, generator):
    width = generator.choice((1, 2, 4, 8))
    order = generator.choice(("little", "big"))
    content[place : place + width] = (generator.choice(SIZES) % 256**width).to_bytes(width, order)


def _cut(content, place, generator):
    del content[place:]


def _remove(content, place, generator):
    del content[place : place + generator.choice((1, 2, 4, 16, 256))]


def _repeat(content, place, generator):
    content[place:place] = content[place : place + generator.choice((1, 4, 64, 1024))]


def _move(content, place, generator):
    other = generator.randrange(len(content) + 1)
    content[place : place + 16] = content[other : other + 16]


def _insert(content, place, generator):
    content[place:place] = generator.choice((b"\0", b"\xff", b"[", b"{", b'"', b"(", b"0")) * generator.choice((1, 64))


_CHANGES = (_flip, _flip, _overwrite, _number, _number, _cut, _remove, _repeat, _move, _insert)


def _damage_value(value, generator):
    """Returns a document in which one value, found by a random walk from the top, is another."""
    if isinstance(value, dict | list) and value and generator.random() < 0.93:
        key = generator.choice(list(value) if isinstance(value, dict) else range(len(value)))
        fate = generator.random()
        if fate < 0.1:
            del value[key]
        elif fate < 0.15 and isinstance(value, dict):
            value[generator.choice(("x", "", "__class__", key + "\0"))] = value.pop(key)
        elif fate < 0.2 and isinstance(value, list):
            value *= generator.choice((2, 50))
        else:
            value[key] = _damage_value(value[key], generator)
        return value
    if isinstance(value, int | float) and generator.random() < 0.4:
        return generator.choice((-value, value + 1, value * 2, float(value), str(value), 2**31, 10**30))
    if generator.random() < 0.05:
        for _ in range(300):
            value = [value]
        return value
    return generator.choice(ODD_VALUES)
