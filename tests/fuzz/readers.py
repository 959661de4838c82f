"""All readers of files from outside: a new one is an entry in one of these lists."""

from tests.fuzz import exported, networks, records, runs, weights

READERS = {reader.name: reader for room in (weights, networks, runs, records, exported) for reader in room.READERS}
