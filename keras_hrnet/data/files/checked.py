"""Remembers which files of a data set were checked, so that only new and changed ones are decoded again."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from keras_hrnet.data.files.images import ImageHeader
from keras_hrnet.data.files.labels import LabelHeader
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.replacing import replacing

VERSION = 1
"""Increase this number when a check refuses files that it accepted before."""
MOST_OTHERS = 10
"""Maximum number of other files in a record, as a multiple of the files that were checked now."""
# A file that is written twice within the resolution of its modification time would look unchanged.
_NANOSECONDS_TO_WAIT = 2 * 10**9

Files = Sequence[str | os.PathLike]


class CheckedFiles:
    """The headers of images and label images that passed a check of their contents.

    A file counts as unchanged as long as its path, its size and its modification time are the same. Checks with other
    expected label values do not count. A damaged record is discarded; if it cannot be written, nothing is remembered.

    Args:
        first: the first files of the data set, whose folders identify its record.
        known: the values that label images may contain.
        folder: folder of the record; None means `keras_hrnet` in the Keras folder (`KERAS_HOME`, or `~/.keras`).
    """

    def __init__(self, first: Files, known: LabelValues, folder: str | os.PathLike | None = None):
        folder = Path(folder or Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras_hrnet")
        colors = None if known.colors is None else sorted(known.colors)
        expected = (sorted(known.values), colors, known.palette_images, known.original)
        places = [str(Path(path).absolute().parent) for path in first]
        self.path = folder / f"checked_{_digest(VERSION, places, expected)[:16]}.json"
        self._known = _read(self.path)
        self._now = time.time_ns()
        self._found = {}

    def recall(self, files: Files) -> tuple[ImageHeader, LabelHeader] | None:
        """Returns the headers of an image and its label image if both are unchanged since they were checked."""
        key = _key(files, self._now)
        entry = self._known.get(key)
        if key is None or entry is None:
            return None
        self._found[key] = entry
        image, (*label, occurring) = entry
        return ImageHeader(*image), LabelHeader(*label, frozenset(map(_value_or_color, occurring)))

    def note(self, files: Files, image: ImageHeader, label: LabelHeader) -> None:
        """Remembers an image and its label image whose contents were checked completely."""
        key = _key(files, self._now)
        if key is not None and label.occurring is not None:
            self._found[key] = [list(image), [*label[:-1], sorted(label.occurring)]]

    def save(self) -> None:
        """Writes the recalled and noted files, if any of them are new."""
        if self._found.keys() <= self._known.keys():
            return
        # Another part of the same folders may be used next; entries of old versions of files are dropped eventually.
        others = self._known if len(self._known) <= MOST_OTHERS * len(self._found) else {}
        content = json.dumps({**others, **self._found}, sort_keys=True)
        try:
            with replacing(self.path) as part:
                part.write_text(json.dumps({"sha256": _digest(content), "content": content}))
        except OSError:
            return


def _key(files, now):
    """Identifies the contents of files; None if one of them cannot be accessed or has just changed."""
    try:
        stats = [os.stat(path) for path in files]
    except OSError:
        return None
    if max(stat.st_mtime_ns for stat in stats) > now - _NANOSECONDS_TO_WAIT:
        return None
    return _digest(
        [
            (os.fsencode(os.path.abspath(path)).hex(), stat.st_size, stat.st_mtime_ns)
            for path, stat in zip(files, stats, strict=True)
        ]
    )


def _read(path):
    try:
        kept = json.loads(path.read_text())
        return json.loads(kept["content"]) if kept["sha256"] == _digest(kept["content"]) else {}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def _digest(*values):
    return hashlib.sha256(repr(values).encode()).hexdigest()


def _value_or_color(value):
    return tuple(value) if isinstance(value, list) else value
