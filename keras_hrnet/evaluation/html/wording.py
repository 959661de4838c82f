"""Numbers as the page says them."""

import math

import numpy as np

NO_VALUE = "–"


def is_known(number: float | None) -> bool:
    """Says whether there is a number: neither None nor NaN."""
    return number is not None and not math.isnan(number)


def percent(share: float | None, digits: int = 2) -> str:
    """Returns a share in [0, 1] as a number of percent, without its sign; a dash for None and NaN."""
    return format(100 * share, f".{digits}f") if is_known(share) else NO_VALUE


def value(number: float | None) -> str:
    """Returns what a table is sorted by: the number, or nothing for None and NaN."""
    return format(float(number), ".9g") if is_known(number) else ""


def short_count(count: float) -> str:
    """Returns a count in four characters or so: 812, 4.1k, 56k, 1.2M."""
    for unit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * unit:
            return f"{count / unit:.{1 if count < 9.95 * unit else 0}f}{sign}"
    return str(int(count))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Returns such as "1 image" or "2,000 images"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def mean(scores: np.ndarray) -> float | None:
    """Returns the mean of what is not NaN; None if nothing is left."""
    return None if np.all(np.isnan(scores)) else float(np.nanmean(scores))


FILTERS = {"percent": percent, "value": value, "short_count": short_count, "count": count, "mean": mean}
