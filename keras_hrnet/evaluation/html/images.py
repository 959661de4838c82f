"""How the scores of single images are distributed: a histogram, and the list of all."""

import numpy as np

from keras_hrnet.evaluation.html.wording import NO_VALUE, count, escape, percent, value

NUM_BINS = 20
# Percent of the height of the histogram: above the bars stand their counts, below them the axis.
TOP, BOTTOM = 10, 86
EDGES = {0: ' class="first"', 100: ' class="last"'}


def images_section(names, scores, mean_iou):
    """Writes the histogram of the scores of single images, what it says in words, and the list of all.

    Args:
        names: what the images are called; none means by number.
        scores: mean IoU of each image alone, float `(num_images,)` in [0, 1]; NaN where no pixel counts.
        mean_iou: of all images together, in [0, 1].

    Returns:
        HTML.
    """
    scores = np.asarray(scores, dtype=float)
    names = names or tuple(f"image {i}" for i in range(len(scores)))
    rows = "".join(
        f'<tr><th scope="row" data-value="{escape(name)}">{escape(name)}</th>'
        f'<td data-value="{value(score)}">{percent(score)}</td></tr>'
        for name, score in zip(names, scores, strict=True)
    )
    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{name}</button></th>'
        for name in ("Image", "Mean IoU %")
    )
    return (
        f'{histogram(scores, mean_iou)}<p class="note">{escape(_words(names, scores))} The dashed line is the mean IoU '
        "of all images counted together, which is not the mean of theirs.</p>"
        f"<details><summary>All {count(len(scores), 'image')}</summary>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Scores of all images">'
        f'<table class="wide"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def histogram(scores, mean_iou):
    """Draws how many images have which mean IoU.

    Args:
        scores: float `(num_images,)` in [0, 1]; NaN is left out.
        mean_iou: of all images together, in [0, 1], drawn as a line.

    Returns:
        SVG.
    """
    scores = scores[~np.isnan(scores)]
    counts, _ = np.histogram(scores, bins=NUM_BINS, range=(0, 1))
    width, highest = 100 / NUM_BINS, max(int(counts.max()), 1)
    drawn = [_histogram_bar(i, int(n), width, highest) for i, n in enumerate(counts) if n]
    bars, numbers = ("".join(pair[k] for pair in drawn) for k in (0, 1))
    axis = f'<line x1="0" x2="100%" y1="{BOTTOM}%" y2="{BOTTOM}%"/>'
    ticks = "".join(
        f'<text x="{x}%" y="97%"{EDGES.get(x, "")}>{x}{" %" if x == 100 else ""}</text>' for x in range(0, 101, 20)
    )
    mean = f'<line class="mean" x1="{100 * mean_iou:.2f}%" x2="{100 * mean_iou:.2f}%" y1="4%" y2="{BOTTOM}%"/>'
    median = percent(float(np.median(scores)) if scores.size else None)
    label = (
        f"Histogram of the mean IoU of {count(scores.size, 'image')}, in steps of 5 percent; median {median} percent"
    )
    return f'<svg class="histogram" role="img" aria-label="{label}">{bars}{axis}{ticks}{mean}{numbers}</svg>'


def _histogram_bar(i, num_images, width, highest):
    """A bar, and the number above it, which no line may cross."""
    height = (BOTTOM - TOP) * num_images / highest
    left, top = width * i, BOTTOM - height
    low, high = 100 * i // NUM_BINS, 100 * (i + 1) // NUM_BINS
    return (
        f"<g><title>{low} to {high} %: {count(num_images, 'image')}</title>"
        f'<rect x="{left + 0.15:.2f}%" y="{top:.2f}%" width="{width - 0.3:.2f}%" height="{height:.2f}%"/>'
        "</g>",
        f'<g><text x="{left + width / 2:.2f}%" y="{top - 2:.2f}%">{num_images}</text></g>',
    )


def _words(names, scores):
    counted = np.flatnonzero(~np.isnan(scores))
    if not counted.size:
        return "No image has a pixel that counts."
    worst, best = (int(counted[find(scores[counted])]) for find in (np.argmin, np.argmax))
    words = (
        f"Median {percent(float(np.median(scores[counted])))} %, lowest {percent(scores[worst])} % ({names[worst]}), "
        f"highest {percent(scores[best])} % ({names[best]})."
    )
    without = len(scores) - counted.size
    return words + (f" {count(without, 'image')} without a pixel that counts: {NO_VALUE}." if without else "")
