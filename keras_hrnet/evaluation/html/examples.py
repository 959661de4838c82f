"""Prepares the parts of a page that describe an image: its pictures, its scores and its legends."""

from typing import Any

import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Color
from keras_hrnet.evaluation.html.encoding import (
    IGNORED_COLOR,
    WRONG_COLOR,
    errors_uri,
    labels_uri,
    photo_uri,
    shown_size,
)
from keras_hrnet.evaluation.report import EvaluationReport, Example

DARK = (60, 60, 60)


def example_view(example: Example, colors: tuple[Color, ...], report: EvaluationReport) -> dict[str, Any]:
    """Returns the values that the page's template needs for an example.

    Raises:
        TypeError: if labels are not integers.
        ValueError: if sizes differ, or a label has no color.
    """
    image, truth, prediction = map(np.asarray, (example.image, example.truth, example.prediction))
    if not truth.shape == prediction.shape == image.shape[:2]:
        raise ValueError(
            f"Received the example {example.name!r} with an image of shape {image.shape}, a truth of {truth.shape} "
            f"and a prediction of {prediction.shape}. Expected the same height and width. Predict at the image's "
            "size."
        )
    pictures = {
        "photo": photo_uri(image),
        "prediction": labels_uri(prediction, colors),
        "truth": labels_uri(truth, colors),
        "errors": errors_uri(truth, prediction),
    }
    counted, scores = truth != IGNORE_LABEL, report.image_scores
    found = np.union1d(truth, prediction).tolist()
    classes = [(colors[label], report.class_names[label]) for label in found if label != IGNORE_LABEL]
    return {
        "name": example.name,
        "mean_iou": example.mean_iou,
        "rank": None if scores is None or np.all(np.isnan(scores)) else 1 + int(np.sum(scores < example.mean_iou)),
        "wrong": np.mean((truth != prediction)[counted]) if counted.any() else None,
        "size": shown_size(*image.shape[:2]),
        "pictures": pictures,
        "classes": [*classes, *([((0, 0, 0), "ignored")] if IGNORE_LABEL in found else [])],
        "errors": [(WRONG_COLOR, "wrong"), (IGNORED_COLOR, "ignored"), (DARK, "right: the photo, darkened")],
    }
