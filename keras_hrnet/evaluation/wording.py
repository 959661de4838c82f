"""Formats numbers and tables for reports and pages."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

NO_VALUE = "–"


def is_known(number: float | None) -> bool:
    """Returns whether a value is a number: neither None nor NaN."""
    return number is not None and not math.isnan(number)


def percent(share: float | None, digits: int = 2) -> str:
    """Returns a share in [0, 1] as a percentage, without the percent sign; a dash for None and NaN."""
    return format(100 * share, f".{digits}f") if is_known(share) else NO_VALUE


def value(number: float | None) -> str:
    """Returns the sort key of a table cell: the number, or nothing for None and NaN."""
    return format(float(number), ".9g") if is_known(number) else ""


def short_count(count: float) -> str:
    """Returns a count in about four characters: 812, 4.1k, 56k, 1.2M."""
    for unit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * unit:
            return f"{count / unit:.{1 if count < 9.95 * unit else 0}f}{sign}"
    return str(int(count))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Returns a count with its noun, such as "1 image" or "2,000 images"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def mean(scores: np.ndarray) -> float | None:
    """Returns the mean of the values that are not NaN; None if there are none."""
    return None if np.all(np.isnan(scores)) else float(np.nanmean(scores))


def text_table(header: Sequence[str], *sections: Sequence[Sequence[str]], width: int = 0) -> list[str]:
    """Aligns rows of cells, names to the left and numbers to the right.

    Args:
        header: titles of the columns.
        sections: lists of rows, each below a rule; an empty list is left out. A row may have fewer cells than the
            header.
        width: minimum width of the first column, in characters.

    Returns:
        The lines.
    """
    rows = [header, *itertools.chain(*sections)]
    width = max(width, *(len(row[0]) for row in rows))
    # Each column has room for "100.00" and a space.
    widths = [max(7, *(len(row[i]) for row in rows if i < len(row))) for i in range(1, len(header))]

    def line(row):
        return "  ".join([f"{row[0]:<{width}}", *(f"{cell:>{n}}" for cell, n in zip(row[1:], widths, strict=False))])

    rule = "─" * len(line(header))
    return [line(header), *(text for rows in sections if rows for text in (rule, *map(line, rows)))]
