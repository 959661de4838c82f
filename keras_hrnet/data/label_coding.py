"""Maps the values that label images store to train ids."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from keras_hrnet.data_sets import IGNORE_LABEL, Classes, DataSet, LabelValues
from keras_hrnet.data_sets.classes import Color

UNKNOWN_ID = 254
"""The id that marks stored values without a train id."""

MAX_CLASSES = UNKNOWN_ID
"""Train ids are uint8, of which two values are reserved: `UNKNOWN_ID`, and 255 for ignored pixels."""


@dataclasses.dataclass(frozen=True)
class LabelCoding:
    """The way in which the label images of a data set store its classes.

    Args:
        classes: the classes.
        train_id_of_value: 256 train ids, one for each value that a label image can store: the class, 255 for ignored
            values, 254 for values that must not occur.
        palette: the color of stored value 0, 1, …, with which color pictures are decoded; None if there are none.
        is_assumed: whether the user did not specify the values, so that 0 is the first class and 255 is ignored.
    """

    classes: Classes
    train_id_of_value: tuple[int, ...]
    palette: tuple[Color, ...] | None = None
    is_assumed: bool = False

    @property
    def reading(self) -> str:
        """Identifies how label images are read; caches of decoded labels are valid only for the same reading."""
        return f"{self.train_id_of_value} {self.palette}"

    @property
    def known_values(self) -> tuple[int, ...]:
        """The values that a label image may contain, sorted."""
        return tuple(value for value in range(256) if self.train_id_of_value[value] != UNKNOWN_ID)

    def train_ids_of(self, occurring: Iterable[int | Color]) -> frozenset[int]:
        """Returns the train ids of stored values, or of the colors of color pictures."""
        values = (self.palette.index(value) if isinstance(value, tuple) else value for value in occurring)
        return frozenset(self.train_id_of_value[value] for value in values)

    def name_of(self, value: int | Color) -> str:
        """Returns the name of the class that a known value, or a color, stands for, or "ignored"."""
        (train_id,) = self.train_ids_of([value])
        return "ignored" if train_id == IGNORE_LABEL else self.classes.names[train_id]

    @property
    def label_values(self) -> LabelValues:
        """The values that the user's label images may contain, for `check_label`."""
        cure = (
            "Change these pixels to one of them, or declare their values with classes (--classes), id_map (--id-map) "
            "or ignore_label (--ignore-label)."
        )
        return LabelValues(values=self.known_values, colors=self.palette, cure=cure)


def coding_of_data_set(data_set: DataSet) -> LabelCoding:
    """Describes the label images of a supported data set."""
    if data_set.is_read_by_color:
        train_ids, palette = dict(enumerate(data_set.train_ids.values())), tuple(data_set.train_ids)
    else:
        # No label image is decoded with these colors, but they have always been part of `reading`, and therefore of
        # caches.
        train_ids, palette = data_set.train_ids, data_set.classes.colors
    return LabelCoding(data_set.classes, _table(train_ids), palette)


def coding_of(
    classes: int | Sequence[str] | Classes,
    palette: Sequence[Color] | None = None,
    id_map: Mapping[int, int | str] | None = None,
    ignore_label: int | Sequence[int] | None = None,
) -> LabelCoding:
    """Describes your own label images.

    Args:
        classes: number of classes, names of the classes, or a `Classes`.
        palette: the color of each class.
        id_map: the class of each stored value: train ids, or class names, by stored value. None means that value 0 is
            the first class, and so on.
        ignore_label: the stored values that are ignored; None means 255, unless `id_map` makes it a class.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if the arguments contradict one another, or a number is out of range.
    """
    known = _classes(classes)
    names, colors = known.names, _palette(palette, known.names)
    train_ids = dict.fromkeys(_ignored_values(ignore_label, id_map), IGNORE_LABEL)
    for value, train_id in _id_map(id_map, names).items():
        if value in train_ids and train_id != IGNORE_LABEL and id_map is not None:
            raise ValueError(
                f"Received ignore_label={ignore_label!r} and id_map={id_map!r}, where the value {value} is both a "
                "class and ignored. Expected only one of these. Remove it from one of the arguments."
            )
        # Without a map, an ignored value takes precedence: ignore_label=0 keeps the numbers of the other classes.
        train_ids.setdefault(value, train_id)
    classes = known if colors is None else dataclasses.replace(known, colors=colors)
    return LabelCoding(classes, _table(train_ids), colors, is_assumed=ignore_label is None and id_map is None)


def _table(train_ids: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(train_ids.get(value, UNKNOWN_ID) for value in range(256))


def _classes(classes):
    if isinstance(classes, Classes):
        return Classes(_names(classes.names), classes.colors, mirrored=classes.mirrored)
    return Classes(_names(classes))


def _names(classes):
    if isinstance(classes, int) and not isinstance(classes, bool):
        names = tuple(f"class {i}" for i in range(classes))
    elif isinstance(classes, str) or not all(isinstance(name, str) for name in _listed("classes", classes)):
        raise TypeError(
            f"Received classes={classes!r}. Expected a number or a sequence of names. Pass classes=2, or "
            f"classes=('background', 'leaf')."
        )
    else:
        names = tuple(classes)
    if not 1 <= len(names) <= MAX_CLASSES:
        raise ValueError(
            f"Received {len(names)} classes. Expected 1 to {MAX_CLASSES}. Merge classes with id_map, or remove some."
        )
    return names


def _listed(argument, values):
    try:
        return list(values)
    except TypeError as error:
        raise TypeError(f"Received {argument}={values!r}. Expected a sequence. Pass a list or a tuple.") from error


def _ignored_values(ignore_label, id_map):
    if ignore_label is None:
        return () if id_map is not None and IGNORE_LABEL in id_map else (IGNORE_LABEL,)
    values = (ignore_label,) if isinstance(ignore_label, int) else ignore_label
    return [_byte("ignore_label", value) for value in _listed("ignore_label", values)]


def _id_map(id_map, names):
    if id_map is None:
        return {value: value for value in range(len(names))}
    if not hasattr(id_map, "items"):
        raise TypeError(f"Received id_map={id_map!r}. Expected a dict. Pass one such as {{0: 0, 255: 1}}.")
    return {_byte("id_map", value): _train_id(value, train_id, names) for value, train_id in id_map.items()}


def _train_id(value, train_id, names):
    if train_id in names:
        return names.index(train_id)
    if isinstance(train_id, int) and (0 <= train_id < len(names) or train_id == IGNORE_LABEL):
        return int(train_id)
    raise ValueError(
        f"Received id_map with {value} → {train_id!r}. Expected a train id from 0 to {len(names) - 1}, {IGNORE_LABEL} "
        f"to ignore it, or one of the names {', '.join(names[:8])}{' …' if len(names) > 8 else ''}. Correct the map."
    )


def _byte(argument, value):
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
        raise ValueError(
            f"Received {argument} with the stored value {value!r}. Expected an integer from 0 to 255, as a label image "
            f"stores it. Correct it."
        )
    return int(value)


def _palette(palette, names):
    if palette is None:
        return None
    colors = tuple(tuple(_byte("palette", channel) for channel in color) for color in _listed("palette", palette))
    if len(colors) != len(names) or any(len(color) != 3 for color in colors) or len(set(colors)) != len(colors):
        raise ValueError(
            f"Received a palette of {len(colors)} colors for {len(names)} classes. Expected a "
            f"different (red, green, blue) for each class. Correct the palette."
        )
    return colors
