"""All readers of files from outside: a new one is an entry in one of these lists."""

from tests.fuzz import exported, networks, pictures, records, runs, weights

ROOMS = (weights, networks, runs, records, exported, pictures)
READERS = {reader.name: reader for room in ROOMS for reader in room.READERS}
