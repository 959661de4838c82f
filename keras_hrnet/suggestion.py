"""Suggests existing names for one that does not exist."""

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str], number: int = 1) -> str:
    """Returns a question that suggests the known names closest to a name, after a space; "" if none is close.

    Args:
        name: the unknown name, in any case.
        known: the names that exist.
        number: largest number of names to suggest.

    Example:

    >>> from keras_hrnet.suggestion import suggestion
    >>> suggestion("hrnetw18smal", ["HRNetW18Small", "HRNetW48"])
    ' Did you mean HRNetW18Small?'
    """
    near = closest(name, known, number)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def closest(name: str, known: Iterable[str], number: int = 1, cutoff: float = 0.6) -> list[str]:
    """Returns the known names that are closest to a name, the closest first, regardless of case.

    Args:
        number: largest number of names to return.
        cutoff: the smallest ratio of `difflib.SequenceMatcher`, in [0, 1]; with 0, any known name may be returned.
    """
    by_lower = {other.lower(): other for other in known}
    return [by_lower[other] for other in difflib.get_close_matches(name.lower(), by_lower, number, cutoff)]
