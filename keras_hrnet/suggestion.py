"""Suggests names that exist in place of one that does not."""

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str], number: int = 1) -> str:
    """Returns a question about the known names that are closest to a name, with a space before it, or nothing.

    Args:
        name: what was written, in lower or upper case.
        known: the names that exist.
        number: of names to suggest at most.

    Example:

    >>> from keras_hrnet.suggestion import suggestion
    >>> suggestion("hrnetw18smal", ["HRNetW18Small", "HRNetW48"])
    ' Did you mean HRNetW18Small?'
    """
    near = closest(name, known, number)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def closest(name: str, known: Iterable[str], number: int = 1, cutoff: float = 0.6) -> list[str]:
    """Returns the known names that are closest to a name, the closest first, without regard to case.

    Args:
        number: of names to return at most.
        cutoff: the least ratio of `difflib.SequenceMatcher`, in [0, 1]; 0 returns a name however far it is.
    """
    by_lower = {other.lower(): other for other in known}
    return [by_lower[other] for other in difflib.get_close_matches(name.lower(), by_lower, number, cutoff)]
