"""The tables of classes and of their groups."""

from keras_hrnet.evaluation.html.charts import measure
from keras_hrnet.evaluation.html.colors import named
from keras_hrnet.evaluation.html.wording import escape, mean, value


def class_table(report, colors):
    """Writes the scores of each class, with bars, sortable by each column.

    Args:
        report: an `EvaluationReport`.
        colors: `(red, green, blue)` of each class.

    Returns:
        HTML.
    """
    pixels = report.confusion.sum(axis=1)
    shares = pixels / max(pixels.sum(), 1)
    longest = max(shares.max(), 1e-12)
    iou, boundary = report.iou, report.boundary_iou
    names = ["Class", "IoU %", *([] if boundary is None else ["Boundary IoU %"]), "Pixels %"]
    heads = "".join(f'<th scope="col" aria-sort="none"><button type="button">{name}</button></th>' for name in names)
    rows = []
    for i, name in enumerate(report.class_names):
        cells = [_cell(iou[i], "iou")]
        if boundary is not None:
            cells.append(_cell(boundary[i], "boundary"))
        cells.append(_cell(shares[i], "share", longest=longest, digits=3))
        head = f'<th scope="row" data-value="{escape(name)}">{named(colors[i], name)}</th>'
        rows.append(f"<tr>{head}{''.join(cells)}</tr>")
    means = [measure(report.mean_iou, "iou")]
    if boundary is not None:
        means.append(measure(mean(boundary), "boundary"))
    foot = "".join(f"<td>{cell}</td>" for cell in [*means, ""])
    return (
        f'<div class="scroll"><table class="scores{"" if boundary is None else " has-boundary"}">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
        f'<tfoot><tr><th scope="row">Mean</th>{foot}</tr></tfoot></table></div>'
        '<p class="note">A dash: the class is neither in the truth nor in the prediction, and not in the mean. Bars '
        "of pixels are drawn relative to the most frequent class.</p>"
    )


def _cell(share, kind, **drawing):
    return f'<td data-value="{value(share)}">{measure(share, kind, **drawing)}</td>'


def category_table(category_iou):
    """Writes the scores of the groups of classes, with bars.

    Args:
        category_iou: IoU in [0, 1] by the name of the group.

    Returns:
        HTML.
    """
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{measure(iou, "iou")}</td></tr>'
        for name, iou in category_iou.items()
    )
    return (
        '<table class="scores"><thead><tr><th scope="col">Group</th><th scope="col">IoU %</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
