"""Reads files in a form in which two of them can be compared, and finds out whether they are complete."""

import csv
import io
import json
import pathlib
import re
import zipfile

import PIL.Image

CHANGING = {
    "started", "seconds", "seconds_per_image", "latency_seconds", "date_saved", "shared_object_id", "size_bytes"
}  # fmt: skip
"""Names in JSON whose values differ from run to run."""

LOGS = ("tfevents", ".lock", "fingerprint.pb")
"""Parts of the names of files that grow during a run, and of a file of TensorFlow that differs each time."""


def tree(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Lists all files below a folder by their relative paths, without logs."""
    files = (path for path in sorted(folder.rglob("*")) if not path.is_dir() and not any(x in path.name for x in LOGS))
    return {str(path.relative_to(folder)): path for path in files}


def is_hidden(name: str) -> bool:
    """Returns whether a relative path belongs to an unfinished file, or leads into an unfinished folder."""
    return any(part.startswith(".") for part in pathlib.PurePath(name).parts)


def contents(folder: pathlib.Path) -> dict[str, object]:
    """Reads all files below a folder that have their final names, in a form in which two runs are equal.

    Raises:
        Exception: if a file is incomplete, as far as its format reveals that.
    """
    return {name: content(path) for name, path in tree(folder).items() if not is_hidden(name)}


def content(path: pathlib.Path) -> object:
    """Reads a file in a form in which two runs are equal.

    Raises:
        Exception: if the file is incomplete, as far as its format reveals that.
    """
    data = path.read_bytes()
    if path.suffix in (".keras", ".npz", ".zip"):
        return _members(data)
    if path.suffix == ".json":
        return _without_changing(json.loads(data))
    if path.suffix == ".html":
        return re.sub(r'[^>]*( <span class="unit">s</span>)', r"\1", data.decode())
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(data.decode())))
        if len({len(row) for row in rows}) != 1 or not data.endswith(b"\n"):
            raise ValueError(f"{path} is cut short.")
        return rows
    if path.suffix == ".png":
        with PIL.Image.open(io.BytesIO(data)) as picture:
            picture.load()
    return data


def _members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}  # Checks each checksum.
    for name in ("config.json", "metadata.json"):  # Of Keras.
        if name in members:
            members[name] = _without_changing(json.loads(members[name]))
    return members


def _without_changing(value):
    if isinstance(value, dict):
        return {name: _without_changing(inner) for name, inner in value.items() if name not in CHANGING}
    return [_without_changing(inner) for inner in value] if isinstance(value, list) else value
