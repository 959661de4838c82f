"""The manifest of records: a JSON file next to them with the position of each sample in its shard.

A folder of records contains shards (`records-00000-of-00026.tfrecord`, …) and `manifest.json`, which is written last.
During packing, each finished shard has its own manifest (`records-00000-of-00026.tfrecord.json`), from which packing
can be resumed.
"""

import functools
import hashlib
import json
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from keras_hrnet.replacing import replacing

MANIFEST_NAME, SHARD_START, SHARD_END = "manifest.json", "records-", ".tfrecord"
FORMAT, VERSION = "keras_hrnet records", 3
"""Version 1 does not state which label values occur, and TensorFlow can decode all of its pictures. Versions 1 and 2
store all files unchanged."""

FRAMING_BYTES = 16
"""A TFRecord is preceded by its length and a checksum, and followed by a checksum: 8, 4 and 4 bytes."""


class Sample(NamedTuple):
    """An image and its label image: the names of their files, lengths of the files in bytes, and size in pixels.

    `image_by_pillow` and `label_by_pillow` state whether Pillow must decode them, and `as_pixels` whether their pixels
    are stored instead of the files, as `compressed` writes them.
    """

    image: str
    label: str
    image_bytes: int
    label_bytes: int
    height: int
    width: int
    image_by_pillow: bool = False
    label_by_pillow: bool = False
    as_pixels: bool = False


class Record(NamedTuple):
    """A sample and its position in a shard: the offset of its framing, and its length without framing, in bytes."""

    sample: Sample
    offset: int
    length: int


class Shard(NamedTuple):
    """A TFRecord file: its name, length in bytes, SHA-256 in hexadecimal digits, and the `Record` of each sample.

    `occurring` contains the values or colors in its labels; None if an earlier version packed it.
    """

    name: str
    size: int
    sha256: str
    records: tuple[Record, ...]
    occurring: frozenset | None = None


def shard_name(number: int, count: int) -> str:
    """Returns the name of a shard, by its number, from 0, and the number of shards."""
    return f"{SHARD_START}{number:05d}-of-{count:05d}{SHARD_END}"


def own_manifest_of(shard: str) -> str:
    """Returns the name of the manifest of a single shard, which exists only until packing is finished."""
    return f"{shard}.json"


def earlier_part_of(name: str) -> str:
    """Returns the name of the unfinished file that a killed process of an earlier version left behind."""
    return f"{name}.part"


def read_manifest(path: Path) -> list[Shard]:
    """Reads a manifest.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is not a manifest, or was written by a newer version of the package.
    """
    try:
        content = json.loads(path.read_bytes())
        found_format, version = content["format"], content["version"]
        if found_format == FORMAT and version in (1, 2, VERSION):
            shards = [_shard(**fields) for fields in content["shards"]]
            if not any(shard.records for shard in shards):
                raise ValueError("it names no sample")
            for shard in shards:
                _check_places(shard)
            return shards
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a manifest of records ({type(error).__name__}: {error}). Expected the JSON that "
            "`keras-hrnet data pack` writes. Restore the file, or remove its folder and pack the data set again."
        ) from error
    raise ValueError(
        f"{path} has the format {found_format!r}, version {version!r}. Expected {FORMAT!r}, version {VERSION}. "
        "Update keras-hrnet to the version that packed these records, or pack the data set again into another "
        "folder."
    )


def write_manifest(path: Path, shards: Sequence[Shard]) -> None:
    """Writes a manifest completely or not at all."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "num_samples": sum(len(shard.records) for shard in shards),
        "shards": [_fields(shard) for shard in shards],
    }
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def shard_fault(folder: Path, shard: Shard, *, contents: bool) -> str | None:
    """Describes the problem of a shard, to be read after the file's name; None if there is none.

    Args:
        folder: folder of the shard.
        shard: description of the shard in its manifest.
        contents: whether to compare its checksum; if False, only its length is compared.
    """
    path = Path(folder, shard.name)
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != shard.size:
        return f"has {size} bytes instead of {shard.size}"
    if contents and (found := sha256_of(path)) != shard.sha256:
        return f"has the SHA-256 {found} instead of {shard.sha256}"
    return None


def sha256_of(path: Path) -> str:
    """Computes the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shard(name, size, sha256, samples, occurring=None):
    if occurring is not None:
        occurring = frozenset(map(_value_or_color, occurring))
    shard = _typed(Shard(name, size, sha256, tuple(_record(**fields) for fields in samples), occurring))
    # A name that contains a folder could lead out of the folder of the records.
    if not (name.startswith(SHARD_START) and name.endswith(SHARD_END)) or {"/", "\\"} & set(name):
        raise ValueError(f"a shard has the name {name!r:.80}")
    return shard


def _check_places(shard):
    """Checks that the records of a shard follow one another, and fill it."""
    end = 0
    for record in shard.records:
        if record.offset != end:
            raise ValueError(f"a record of {shard.name!r:.80} begins at byte {record.offset} instead of {end}")
        end += record.length + FRAMING_BYTES
    if end != shard.size:
        raise ValueError(f"the records of {shard.name!r:.80} take {end} bytes instead of {shard.size}")


def _record(offset, length, **sample):
    record = _typed(Record(_typed(Sample(**sample)), offset, length))
    if record.sample.height < 1 or record.sample.width < 1:
        raise ValueError(f"an image is {record.sample.height}x{record.sample.width}")
    return record


def _value_or_color(value):
    parts = value if isinstance(value, list) else [value]
    if len(parts) not in (1, 3) or not all(type(part) is int and 0 <= part < 2**16 for part in parts):
        raise TypeError(f"a value that occurs is {value!r:.80}")
    return tuple(value) if isinstance(value, list) else value


def _typed(row):
    """Returns the row if its strings, numbers and truth values have the declared types, which JSON does not ensure."""
    for name, kind in _plain_fields(type(row)):
        value = getattr(row, name)
        if type(value) is not kind or not _is_possible(value):
            raise TypeError(f"{name} is {value!r:.80}")
    return row


def _is_possible(value):
    if isinstance(value, str):
        value.encode()  # Raises a ValueError for one half of a surrogate pair.
        return "\0" not in value
    return 0 <= value < 2**63


@functools.cache
def _plain_fields(kind_of_row):
    return [(name, kind) for name, kind in typing.get_type_hints(kind_of_row).items() if kind in (str, int, bool)]


def _fields(shard):
    samples = [
        {**record.sample._asdict(), "offset": record.offset, "length": record.length} for record in shard.records
    ]
    occurring = None if shard.occurring is None else sorted(shard.occurring, key=str)
    return {"name": shard.name, "size": shard.size, "sha256": shard.sha256, "occurring": occurring, "samples": samples}
