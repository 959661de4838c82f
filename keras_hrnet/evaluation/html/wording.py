"""Numbers and names as the page says them."""

import html
import math

import numpy as np

NO_VALUE = "–"


def escape(text):
    """Returns text that HTML shows as it is, in elements and in quoted attributes."""
    return html.escape(str(text), quote=True)


def percent(share, digits=2):
    """Returns a share in [0, 1] as a number of percent, without its sign; a dash for None and NaN."""
    return NO_VALUE if share is None or math.isnan(share) else format(100 * share, f".{digits}f")


def value(number):
    """Returns what a table is sorted by: the number, or nothing for None and NaN."""
    return "" if number is None or math.isnan(number) else format(float(number), ".9g")


def short_count(count):
    """Returns a count in four characters or so: 812, 4.1k, 56k, 1.2M."""
    for unit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * unit:
            return f"{count / unit:.{1 if count < 9.95 * unit else 0}f}{sign}"
    return str(int(count))


def count(number, noun, plural=None):
    """Returns such as "1 image" or "2,000 images"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def mean(scores):
    """Returns the mean of what is not NaN; None if nothing is left."""
    return None if np.all(np.isnan(scores)) else float(np.nanmean(scores))
