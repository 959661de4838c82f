"""Writes a report as one HTML file."""

import base64
import hashlib
import importlib.resources
import pathlib
import string

import numpy as np

from keras_hrnet.evaluation.html.classes import category_table, class_table
from keras_hrnet.evaluation.html.confusion import confusion_section
from keras_hrnet.evaluation.html.examples import example_article
from keras_hrnet.evaluation.html.images import images_section
from keras_hrnet.evaluation.html.summary import published_table, tiles
from keras_hrnet.evaluation.html.wording import escape
from keras_hrnet.evaluation.pictures import painted_classes
from keras_hrnet.replacing import replacing

FOLDER = "keras_hrnet.evaluation.html"


def write_html(report, path, *, published=(), palette=None, title=None):
    """Writes a report as one HTML file that shows scores, confusions and examples, and fetches nothing.

    The file is complete: styles, script and pictures are in it, and its own policy forbids it to load anything. It
    is written whole or not at all. Pictures are no wider than 1024 pixels in it.

    Args:
        report: an `EvaluationReport`.
        path: of the file, ending in ".html"; what is there is replaced.
        published: known scores to show beside this one: rows with `name`, `score`, `source` and `page`, such as
            `PublishedWeights`.
        palette: what to paint in, as in `keras_hrnet.colorize`; None means the report's colours.
        title: the page's title. None makes one of the network's name.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        FileNotFoundError: if the folder of `path` is not there.
        TypeError: if labels of an example are not integers.
        ValueError: if `path` does not end in ".html", no pixel of the report counts, the palette has not a colour
            for each class, or pictures of an example do not fit each other.

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
            f"Received path={str(path)!r}, and {str(path.parent)!r} is no folder. Expected its folder to be there. "
            "Make it first."
        )
    if not np.sum(report.confusion):
        raise ValueError(
            "Received a report in which no pixel counts. Expected one at least. Evaluate on images whose labels are "
            "not all 255."
        )
    colors = report.class_colors
    if palette is not None:
        colors = painted_classes(palette, labels=None, names=report.class_names).colors
    title = title or (f"{report.network}: evaluation" if report.network else "Evaluation")
    page = _page(report, title, _sections(report, colors, published))
    with replacing(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def _page(report, title, sections):
    style, script = (_read(f"page.{ending}") for ending in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_checksum(style)}'; script-src '{_checksum(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    protocol = f"Protocol: {report.protocol}." if report.protocol else "The protocol is not noted."
    return string.Template(_read("page.html")).substitute(
        policy=policy,
        title=escape(title),
        style=style,
        script=script,
        protocol=escape(protocol),
        links="".join(link for link, _ in sections),
        sections="\n".join(html for _, html in sections),
    )


def _read(name):
    return importlib.resources.files(FOLDER).joinpath(name).read_text(encoding="utf-8")


def _checksum(text):
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _sections(report, colors, published):
    """Lists the parts of the page that this report has."""
    names, scores = report.class_names, report.image_scores
    summary = _section("summary", "Summary", tiles(report))
    beside = _section("published", "Beside published scores", published_table(report, published))
    classes = _section("classes", "Classes", class_table(report, colors))
    side = []
    if report.category_iou:
        side.append(_section("groups", "Groups of classes", category_table(report.category_iou)))
    if scores is not None and len(scores):
        html = images_section(report.image_names, scores, report.mean_iou)
        side.append(_section("images", "Mean IoU of single images", html))
    confusion = _section("confusion", "Confusion", confusion_section(report.confusion, names))
    sections = [summary, beside, _columns(classes, side), confusion]
    if report.examples:
        articles = "".join(
            example_article(example, i, colors, names, scores) for i, example in enumerate(report.examples, 1)
        )
        html = f'<div class="examples">{articles}</div>'
        sections.append(_section("examples", "Worst and best images", html))
    return sections


def _section(name, heading, html):
    link = f'<li><a href="#{name}">{heading}</a></li>'
    heading = f'<h2 id="{name}-heading">{heading}</h2>'
    return link, f'<section id="{name}" aria-labelledby="{name}-heading">{heading}{html}</section>'


def _columns(main, side):
    """One section as wide as the page, or beside the others."""
    if not side:
        return main
    links, sections = zip(main, *side, strict=True)
    stack = "".join(sections[1:])
    return "".join(links), f'<div class="columns">{sections[0]}<div class="stack">{stack}</div></div>'
