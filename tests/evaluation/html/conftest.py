"""A small report with names, absent classes and four examples."""

import types

import numpy as np
import pytest

from keras_hrnet.data_sets.cityscapes import CLASS_NAMES
from keras_hrnet.evaluation.html import write_html
from keras_hrnet.evaluation.protocol import Protocol
from keras_hrnet.evaluation.report import EvaluationReport, Example


def street(name, mean_iou, size=(96, 192), seed=0):
    """A photo of noise over bands of classes, a tenth of the pixels wrong, the last rows ignored."""
    random = np.random.default_rng(seed)
    height, width = size
    truth = np.repeat(np.arange(height) * 12 // height, width).reshape(size).astype(np.uint8)
    prediction = np.where(random.random(size) < 0.1, (truth + 1) % 12, truth).astype(np.uint8)
    truth[-8:] = 255
    return Example(name, mean_iou, random.integers(0, 256, (*size, 3), np.uint8), truth, prediction)


def confusion(num_classes, absent=()):
    """Most of each class is right; what is absent is neither in the truth nor in the prediction."""
    matrix = np.random.default_rng(1).integers(0, 60, (num_classes, num_classes)).astype(np.int64)
    matrix += np.diag(1000 + 100 * np.arange(num_classes))
    matrix[list(absent)], matrix[:, list(absent)] = 0, 0
    return matrix


@pytest.fixture
def make_report():
    """Returns a function that makes a report; arguments replace its fields."""

    def make(**fields):
        boundary = np.linspace(0.2, 0.8, 19)
        boundary[[16, 17]] = np.nan
        examples = [street(f"town_{i:06d}", score, seed=i) for i, score in enumerate((0.1, 0.2, 0.8, 0.9))]
        defaults = {
            "confusion": confusion(19, absent=(16, 17)),
            "class_names": CLASS_NAMES,
            "num_images": 6,
            "seconds_per_image": 0.25,
            "protocol": Protocol(scales=(0.5, 1.0), flip=True),
            "network": "HRNetW18Small",
            "boundary": types.SimpleNamespace(iou=boundary, ratio=0.005),
            "image_names": (*(example.name for example in examples), "town_000004", "town_000005"),
            "image_scores": np.array([0.1, 0.2, 0.8, 0.9, 0.55, np.nan]),
            "examples": tuple(examples),
        }
        return EvaluationReport(**{**defaults, **fields})

    return make


@pytest.fixture
def published():
    """Two published scores as rows of the package hold them."""
    page = "https://example.org/networks?a=1&b=2"
    return (
        types.SimpleNamespace(name="cityscapes", score="80.9 mIoU, val", source="README.md", page=page),
        types.SimpleNamespace(name="other", score=None, source="paper", page="javascript:alert(1)"),
    )


@pytest.fixture
def written(make_report, published, tmp_path):
    """The path of a page with all its parts."""
    return write_html(make_report(), tmp_path / "report.html", published=published)
