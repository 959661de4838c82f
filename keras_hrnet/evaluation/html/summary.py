"""The headline numbers, and the scores that others have published."""

import math

import numpy as np

from keras_hrnet.evaluation.html.wording import NO_VALUE, count, escape, mean, percent


def tiles(report):
    """Writes the numbers that say most about a report.

    Args:
        report: an `EvaluationReport`.

    Returns:
        HTML.
    """
    num_present = int(np.count_nonzero(~np.isnan(report.iou)))
    rows = [
        (
            "Mean IoU",
            percent(report.mean_iou),
            "%",
            f"of {num_present} of {count(len(report.class_names), 'class', 'classes')}",
        ),
        ("Pixel accuracy", percent(report.pixel_accuracy), "%", "share of the pixels that are right"),
        ("Frequency-weighted IoU", percent(report.frequency_weighted_iou), "%", "weighted by share of the truth"),
    ]
    if report.boundary is not None:
        near = f"within {percent(report.boundary.ratio, 1)} % of the diagonal of an outline"
        rows.append(("Mean boundary IoU", percent(mean(report.boundary_iou)), "%", near))
    seconds = report.seconds_per_image
    text = NO_VALUE if seconds is None or math.isnan(seconds) else f"{seconds:.3g}"
    rows.append(("Time for an image", text, "s", "median; reading not counted"))
    rows.append(("Images", f"{report.num_images:,}", "", f"{count(int(report.confusion.sum()), 'pixel')} counted"))
    return '<dl class="tiles">' + "".join(_tile(*tile) for tile in rows) + "</dl>"


def _tile(name, number, unit, note):
    unit = f' <span class="unit">{unit}</span>' if unit and number != NO_VALUE else ""
    return f"<div><dt>{name}</dt><dd>{number}{unit}</dd><dd>{note}</dd></div>"


def published_table(report, published):
    """Writes a report's score above those that others have published.

    Args:
        report: an `EvaluationReport`.
        published: rows with `name`, `score`, `source` and `page`.

    Returns:
        HTML.
    """
    ours = f"{percent(report.mean_iou)} mIoU"
    protocol = f"{count(report.num_images, 'image')}; {report.protocol or 'protocol not noted'}"
    rows = [("ours", report.network or "This network", ours, escape(f"measured: {protocol}"))]
    rows += [("theirs", row.name, row.score or "not stated", _source(row)) for row in published]
    body = "".join(
        f'<tr class="{kind}"><th scope="row">{escape(name)}</th><td>{escape(score)}</td><td>{source}</td></tr>'
        for kind, name, score, source in rows
    )
    note = (
        "Published scores are as their sources state them, at scale 1 and not flipped unless they say so. Scores of "
        "other images, or by another protocol, do not compare."
        if published
        else "No published score is known for this network."
    )
    return (
        '<table class="wide"><thead><tr><th scope="col">Network</th><th scope="col">Score</th>'
        f'<th scope="col">How, or by whom</th></tr></thead><tbody>{body}</tbody></table><p class="note">{note}</p>'
    )


def _source(row):
    source, page = row.source or "source not stated", row.page
    # Any other scheme could run what it holds.
    if not str(page or "").startswith(("https://", "http://")):
        return escape(source)
    return f'<a href="{escape(page)}" rel="noopener noreferrer">{escape(source)}</a>'
