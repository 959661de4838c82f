"""All readers of files from outside: a new one is an entry in one of these lists."""

from tests.fuzz import exported, records, runs

READERS = {reader.name: reader for room in (runs, records, exported) for reader in room.READERS}
