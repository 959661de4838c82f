"""The data sets that the package supports, each read from its file when it is first requested."""

import collections
import itertools
from collections.abc import Sequence

from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes
from keras_hrnet.data_sets.data_set import DataSet
from keras_hrnet.data_sets.table import data_set_of, read_table
from keras_hrnet.suggestion import suggestion


class Published(collections.UserDict):
    """Data sets by name; None represents a data set whose file has not been read yet."""

    def __getitem__(self, name: str) -> DataSet:
        if self.data[name] is None:
            self.data[name] = self._read(name)
        return self.data[name]

    def _read(self, name):
        """Reads a file, which states the table for `data_set_of`, the classes, and the way label images store them.

        `classes` holds names and colors by train id; the classes of another data set, `classes_of`, come after them.
        With `by_color`, label images hold the colors of the classes; otherwise, the classes are stored in order,
        as the values from 0 up that are neither `ignored` nor `unused`.
        """
        table = read_table(name)
        names, colors = map(tuple, zip(*table.pop("classes", []), strict=True)) if "classes" in table else ((), ())
        if "classes_of" in table:
            others = self[table.pop("classes_of")].classes
            names, colors = names + others.names, colors + others.colors
        classes = Classes(names, colors, mirrored=table.pop("mirrored", ()))
        ignored = [tuple(value) if isinstance(value, list) else value for value in table.pop("ignored", [])]
        unused = {*ignored, *table.pop("unused", [])}
        by_color = table.pop("by_color", False)
        stored = classes.colors if by_color else (value for value in itertools.count() if value not in unused)
        train_ids = dict(zip(stored, range(len(names)), strict=False)) | dict.fromkeys(ignored, IGNORE_LABEL)
        return data_set_of(table, name=name, classes=classes, train_ids=train_ids)


_IN_FILES = (
    "camvid", "camvid_32", "bdd100k", "mapillary", "ade20k", "coco_stuff", "coco_stuff_10k", "pascal_voc",
    "pascal_context", "pascal_context_60", "lip",
)  # fmt: skip

DATA_SETS = Published({"cityscapes": CITYSCAPES, **dict.fromkeys(_IN_FILES)})
"""The data sets by name; `keras_hrnet.data` has a function of that name for each."""


def standardize_classes(classes: Classes | Sequence[str] | str) -> Classes:
    """Converts an argument to `Classes`.

    Args:
        classes: a `Classes`; the names of the classes, by train id, which get the colors of a data set with the same
            names; or the name of a data set in `keras_hrnet.data_sets.DATA_SETS`.

    Raises:
        TypeError: if it is none of these.
        ValueError: if there is no such data set, or a name occurs twice.
    """
    if isinstance(classes, Classes):
        return classes
    if isinstance(classes, str):
        if classes not in DATA_SETS:
            raise ValueError(
                f"Received the classes {classes!r}. Expected names, or a data set: {', '.join(DATA_SETS)}. Pass a "
                f"sequence of names, by train id.{suggestion(classes, DATA_SETS)}"
            )
        return DATA_SETS[classes].classes
    if not isinstance(classes, Sequence):
        raise TypeError(
            f"Received classes of type {type(classes).__name__}. Expected a sequence of names, the name of a data set, "
            "or a `keras_hrnet.data_sets.Classes`. Pass a list of names, by train id."
        )
    named = Classes(tuple(classes))
    return next((row.classes for row in DATA_SETS.values() if row.classes.names == named.names), named)
