"""Bars beside numbers, as SVG."""

import math

from keras_hrnet.evaluation.html.wording import percent


def bar(share, kind):
    """Draws a bar that is as long as a share in [0, 1]; only its track for None and NaN.

    Args:
        share: the share.
        kind: what it shows, "iou", "boundary" or "share", which gives it a colour.

    Returns:
        SVG.
    """
    filled = ""
    if share is not None and not math.isnan(share):
        filled = f'<rect class="{kind}" width="{100 * share:.2f}%" height="100%"/>'
    return f'<svg class="bar" aria-hidden="true"><rect class="track" width="100%" height="100%"/>{filled}</svg>'


def measure(share, kind, *, longest=1.0, digits=2):
    """Writes a share in [0, 1] as a number of percent with a bar beside it; `longest` is the share of a full bar."""
    length = None if share is None else share / longest
    return f'<div class="measure"><span>{percent(share, digits)}</span>{bar(length, kind)}</div>'
