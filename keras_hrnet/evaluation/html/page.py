"""Writes a report as one HTML file."""

import base64
import functools
import hashlib
import importlib.resources
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from keras_hrnet.evaluation.html.confusion import largest_confusions, level, shares_of_truth, shown_classes
from keras_hrnet.evaluation.html.examples import example_view
from keras_hrnet.evaluation.pictures import Palette, painted_classes
from keras_hrnet.evaluation.report import EvaluationReport
from keras_hrnet.evaluation.wording import NO_VALUE, count, is_known, percent, short_count, value
from keras_hrnet.printable import printable
from keras_hrnet.replacing import replacing

NUM_BINS = 20


class PublishedScore(Protocol):
    """The facts about a published score that a page shows."""

    name: str
    score: str | None
    source: str | None
    page: str | None


def write_html(
    report: EvaluationReport,
    path: str | os.PathLike,
    *,
    published: Sequence[PublishedScore] = (),
    palette: Palette = None,
    title: str | None = None,
) -> pathlib.Path:
    """Writes a report as one HTML file that shows scores, confusions and examples, and downloads nothing.

    The file is self-contained: styles, script and pictures are embedded, and its content security policy forbids it to
    load anything else. It is written completely or not at all. Its pictures are at most 1024 pixels wide.

    Args:
        report: the report that `evaluate` returned.
        path: path of the file, ending in ".html"; an existing file is replaced.
        published: published scores to show next to this one, such as `PublishedWeights`.
        palette: colors of the classes, as in `keras_hrnet.colorize`; None means the report's colors.
        title: the page's title; None derives it from the network's name.

    Returns:
        The path.

    Raises:
        FileNotFoundError: if the folder of `path` does not exist.
        TypeError: if labels of an example are not integers.
        ValueError: if `path` does not end in ".html", the report has no counted pixels, the palette does not have a
            color for each class, or the pictures of an example differ in size.

    Example:

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from keras_hrnet.evaluation import EvaluationReport
    >>> report = EvaluationReport(np.array([[3, 1], [0, 4]]), ("road", "sidewalk"), 2, seconds_per_image=0.25)
    >>> write_html(report, pathlib.Path(tempfile.mkdtemp()) / "report.html").name
    'report.html'
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != ".html":
        raise ValueError(
            f'Received path={str(path)!r}. Expected it to end in ".html". Pass {path.with_suffix(".html").name!r}.'
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Received path={str(path)!r}, and {str(path.parent)!r} is not a folder. Expected the folder of the file "
            "to exist. Create it first."
        )
    if not np.sum(report.confusion):
        raise ValueError(
            "Received a report without counted pixels. Expected at least one. Evaluate on images whose labels are "
            "not all 255."
        )
    colors = report.class_colors
    if palette is not None:
        colors = painted_classes(palette, labels=None, names=report.class_names).colors
    page = _template().render(
        report=report,
        colors=colors,
        published=published,
        title=title or (f"{report.network}: evaluation" if report.network else "Evaluation"),
        images=_images(report.image_names, report.image_scores),
        confusions={
            "largest": largest_confusions(report.confusion),
            "shown": shown_classes(report.confusion),
            "shares": shares_of_truth(report.confusion),
        },
        examples=[example_view(example, colors, report) for example in report.examples],
    )
    with replacing(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def _images(names: Sequence[str] | None, scores: np.ndarray | None) -> dict[str, Any] | None:
    """Returns the distribution of the scores of single images; None if there are none."""
    if scores is None or not len(scores):
        return None
    pairs = list(zip(names or (f"image {i}" for i in range(len(scores))), map(float, scores), strict=True))
    counted = [pair for pair in pairs if is_known(pair[1])]
    values = [score for _, score in counted]
    return {
        "scores": pairs,
        "num_counted": len(counted),
        "bars": np.histogram(values, bins=NUM_BINS, range=(0, 1))[0].tolist(),
        "median": float(np.median(values)) if values else None,
        "worst": min(counted, key=lambda pair: pair[1], default=None),
        "best": max(counted, key=lambda pair: pair[1], default=None),
    }


@functools.cache
def _template():
    import jinja2  # Imported here because only a page needs it.

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        # Names are the only texts of a page that may contain control characters.
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "value": value, "short_count": short_count, "count": count}
    environment.tests |= {"known": is_known, "web_address": lambda page: page.startswith(("https://", "http://"))}
    style, script = (_read(f"page.{ending}") for ending in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_checksum(style)}'; script-src '{_checksum(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    environment.globals |= {"style": style, "script": script, "policy": policy, "level": level, "no_value": NO_VALUE}
    return environment.get_template("page.html")


def _read(name):
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _checksum(text):
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"
