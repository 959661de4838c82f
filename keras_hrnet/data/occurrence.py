"""Checks whether a network can learn from label images: which classes have pixels, and whether 255 was misread."""

from __future__ import annotations

from typing import NamedTuple

from keras_hrnet.data.label_coding import LabelCoding
from keras_hrnet.data_sets import IGNORE_LABEL
from keras_hrnet.data_sets.label_values import in_words


class Fault(NamedTuple):
    """The reason why a network cannot learn from label images, to be read after "hold", and what to do."""

    found: str
    cure: str


def fault_of(occurring: frozenset, coding: LabelCoding) -> Fault | None:
    """Checks whether there is nothing to learn from label images.

    Args:
        occurring: the values that they contain, or the colors if they are color pictures.
        coding: how they store the classes.

    Returns:
        The fault if no pixel has a class, or if only 0 and 255 occur and the user did not specify what 255 means,
        because masks of two classes are often written in this way. Otherwise None.
    """
    ids = coding.train_ids_of(occurring)
    names = coding.classes.names
    if not ids - {IGNORE_LABEL}:
        found = "no pixel of a class: all are ignored" + (
            f" (they hold {in_words(occurring)})" if coding.palette is None else ""
        )
        cure = (
            "Check the label images; for your own data, pass the values of the classes as id_map (--id-map), and the "
            "ignored values as ignore_label (--ignore-label)."
        )
        return Fault(found, _cure_of_255(coding) if 255 in occurring and coding.is_assumed else cure)
    if coding.is_assumed and coding.palette is None and occurring == {0, 255} and len(names) > 1:
        found = f"only 0 and 255: 255 is read as ignored, so {names[0]!r} is the only class with pixels"
        return Fault(found, _cure_of_255(coding))
    return None


def missing_classes(occurring: frozenset, coding: LabelCoding) -> tuple[str, ...]:
    """Returns the names of the classes that have no pixels."""
    ids = coding.train_ids_of(occurring)
    return tuple(name for train_id, name in enumerate(coding.classes.names) if train_id not in ids)


def cure_of_missing(occurring: frozenset, coding: LabelCoding) -> str:
    """Returns what to do about classes that have no pixels."""
    misread = "If 255, which occurs and is ignored, stands for one of them, map it with id_map (--id-map). "
    is_misread = 255 in occurring and coding.is_assumed and coding.palette is None
    return misread * is_misread + "Add images that show them, or remove them from the classes."


def require_classes(occurring: frozenset | None, coding: LabelCoding, description: str) -> None:
    """Refuses a data set from which nothing can be learned.

    Args:
        occurring: the values or colors that its labels contain; None if that is not known.
        coding: how they store the classes.
        description: name of the data set in messages.

    Raises:
        ValueError: if `fault_of` finds a fault.
    """
    fault = None if occurring is None else fault_of(occurring, coding)
    if fault is not None:
        raise ValueError(
            f"The label images of {description} hold {fault.found}. Expected pixels of the classes "
            f"{', '.join(coding.classes.names[:8])}{' …' * (len(coding.classes.names) > 8)}. {fault.cure}"
        )


def warning_of_missing(occurring: frozenset | None, coding: LabelCoding, description: str) -> str | None:
    """Returns a warning that a network cannot learn the classes that have no pixels in the training labels.

    Args:
        occurring: the values or colors that the labels contain; None if that is not known.
        coding: how they store the classes.
        description: name of the data set in messages.

    Returns:
        The warning; None if every class has pixels, or if the values are not known.
    """
    missing = () if occurring is None else missing_classes(occurring, coding)
    if not missing:
        return None
    names = f"{', '.join(map(repr, missing[:8]))}{' …' * (len(missing) > 8)}"
    return (
        f"The label images of {description} have no pixels of {len(missing)} of {len(coding.classes.names)} classes, "
        f"which a network therefore cannot learn: {names}. {cure_of_missing(occurring, coding)}"
    )


def _cure_of_255(coding):
    names = coding.classes.names
    if len(names) == 2:
        python, command = f"{{0: {names[0]!r}, 255: {names[1]!r}}}", f"0:{names[0]},255:{names[1]}"
        return (
            f"If 255 is {names[1]!r}, pass id_map={python} (--id-map {command}); to ignore it, pass ignore_label=255 "
            "(--ignore-label 255)."
        )
    return "If 255 is a class, map it with id_map (--id-map); to ignore it, pass ignore_label=255 (--ignore-label 255)."
