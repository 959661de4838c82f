"""Images with their predictions: a slider between the two, and other views of both."""

import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.evaluation.html.colors import named
from keras_hrnet.evaluation.html.encoding import (
    IGNORED_COLOR,
    WRONG_COLOR,
    errors_uri,
    labels_uri,
    photo_uri,
    shown_size,
)
from keras_hrnet.evaluation.html.wording import count, escape, percent

VIEWS = {
    "compare": "Compare",
    "overlay": "Overlay",
    "prediction": "Prediction",
    "truth": "Truth",
    "errors": "Errors",
}
# Pictures that are enlarged this much show their pixels, and not a blur between labels.
SMALL_WIDTH = 320


def example_article(example, number, colors, class_names, scores=None):
    """Writes an image with its name, its score, its views and their legends.

    Args:
        example: an `Example`.
        number: a whole number that no other example of the page has.
        colors: `(red, green, blue)` of each class.
        class_names: what the classes are called.
        scores: mean IoU in [0, 1] of each image alone, float `(num_images,)`, to rank it in; None if unknown.

    Returns:
        HTML.

    Raises:
        TypeError: if labels are not integers.
        ValueError: if sizes differ, or a label has no colour.
    """
    truth, prediction = np.asarray(example.truth), np.asarray(example.prediction)
    image = np.asarray(example.image)
    if not truth.shape == prediction.shape == image.shape[:2]:
        raise ValueError(
            f"Received the example {example.name!r} with an image of shape {image.shape}, a truth of {truth.shape} "
            f"and a prediction of {prediction.shape}. Expected one height and width. Predict at the image's size."
        )
    sources = {
        "photo": (photo_uri(image), "Photo"),
        "prediction": (labels_uri(prediction, colors), "Prediction"),
        "truth": (labels_uri(truth, colors), "Truth"),
        "errors": (errors_uri(truth, prediction), "Errors"),
    }
    return (
        f'<article class="example" aria-labelledby="example-{number}">'
        f'<h3 id="example-{number}">{escape(example.name)}</h3>{_facts(example, truth, prediction, scores)}'
        f"{_choice(example.name, number)}{_frame(example.name, image.shape[:2], sources)}"
        f"{_legend(truth, prediction, colors, class_names)}</article>"
    )


def _facts(example, truth, prediction, scores):
    counted = truth != IGNORE_LABEL
    num_counted = int(np.count_nonzero(counted))
    wrong = np.count_nonzero(counted & (truth != prediction)) / num_counted if num_counted else None
    facts = [f"<b>{percent(example.mean_iou)} %</b> mean IoU"]
    if scores is not None and np.count_nonzero(~np.isnan(scores)):
        rank = 1 + int(np.count_nonzero(scores < example.mean_iou))
        facts.append(f"no. {rank:,} of {count(int(np.count_nonzero(~np.isnan(scores))), 'image')}, worst first")
    facts.append(f"{percent(wrong)} % of its pixels wrong")
    return f'<p class="facts">{" · ".join(facts)}</p>'


def _choice(name, number):
    labels = "".join(
        f'<label><input type="radio" name="view-{number}" value="{view}"{" checked" if view == "compare" else ""}>'
        f"<span>{title}</span></label>"
        for view, title in VIEWS.items()
    )
    legend = f'<legend class="hidden">What to see of {escape(name)}</legend>'
    return f'<fieldset class="choice views">{legend}{labels}</fieldset>'


def _frame(name, size, sources):
    height, width = shown_size(*size)
    shape = (" tall" if height > width else "") + (" small" if width < SMALL_WIDTH else "")
    images = "".join(
        f'<img class="{view}" src="{uri}" alt="{title} of {escape(name)}" width="{width}" height="{height}">'
        for view, (uri, title) in sources.items()
    )
    return (
        f'<div class="frame{shape}">{images}<span class="divider" aria-hidden="true"></span>'
        '<span class="tag of-photo" aria-hidden="true">Photo</span>'
        '<span class="tag of-prediction" aria-hidden="true">Prediction</span>'
        '<input type="range" min="0" max="100" value="50" '
        f'aria-label="How much of the photo is seen beside the prediction, {escape(name)}"></div>'
    )


def _legend(truth, prediction, colors, class_names):
    found = np.union1d(truth, prediction).tolist()
    entries = [(colors[label], class_names[label]) for label in found if label != IGNORE_LABEL]
    entries += [((0, 0, 0), "ignored")] if IGNORE_LABEL in found else []
    errors = [(WRONG_COLOR, "wrong"), (IGNORED_COLOR, "ignored"), ((60, 60, 60), "right: the photo, darkened")]
    return _list(entries, "of-classes") + _list(errors, "of-errors")


def _list(entries, kind):
    items = "".join(f"<li>{named(color, name)}</li>" for color, name in entries)
    return f'<ul class="legend {kind}">{items}</ul>'
