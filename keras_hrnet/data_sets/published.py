"""The data sets that the package knows, each read from its file when it is first asked for."""

import collections
import itertools

from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes
from keras_hrnet.data_sets.data_set import DataSet
from keras_hrnet.data_sets.table import data_set_of, read_table


class Published(collections.UserDict):
    """Data sets by name; None stands for one whose file has not been read yet."""

    def __getitem__(self, name: str) -> DataSet:
        if self.data[name] is None:
            self.data[name] = self._read(name)
        return self.data[name]

    def _read(self, name):
        """Reads a file: besides what `data_set_of` takes, it states the classes and how label images store them.

        `classes` holds names and colours by train id; the classes of another data set, `classes_of`, come after them.
        With `by_color`, label images hold the colours of the classes; otherwise they hold the classes in their order,
        in the values from 0 on that are neither `ignored` nor `unused`.
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
