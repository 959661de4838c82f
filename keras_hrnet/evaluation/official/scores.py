"""Computes the scores from the counts, and writes them as the official JSON and as a table."""

import dataclasses
import json
import math
import os
from typing import Any

import numpy as np

from keras_hrnet.data_sets.cityscapes import LABELS
from keras_hrnet.evaluation.official.pair import AVERAGE_INSTANCE_PIXELS, InstanceCounts
from keras_hrnet.evaluation.wording import percent, text_table
from keras_hrnet.replacing import replacing

IDENTIFIED = tuple(label for label in LABELS if label.id >= 0)
SCORED = tuple(label for label in IDENTIFIED if not label.ignore_in_eval)
CATEGORIES = tuple(dict.fromkeys(label.category for label in LABELS))


@dataclasses.dataclass(frozen=True, eq=False)
class CityscapesScores:
    """The official Cityscapes scores of a set of predicted label images. `print` shows them as a table.

    Args:
        confusion: int64 `(34, 34)`, pixels by label id; rows are the truth, columns the prediction.
        instances: pixels of instances; None if they were not counted.
        num_images: number of pairs that were counted.

    Reference: cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py.
    """

    confusion: np.ndarray
    instances: InstanceCounts | None
    num_images: int

    @property
    def class_scores(self) -> dict[str, float]:
        """Intersection over union of the 19 classes, by name, in [0, 1].

        NaN for a class that is neither in the truth nor in the prediction. Predicting a class where the truth is an
        ignored label is not an error; predicting an ignored label where the truth is a class is one.
        """
        return {label.name: self._score([label]) for label in SCORED}

    @property
    def class_instance_scores(self) -> dict[str, float]:
        """Instance-weighted IoU of the 8 classes with instances, by name, in [0, 1].

        Each true pixel is weighted by the mean size of its class's instances over the size of its own instance, so
        that small objects count as much as large ones. NaN as in `class_scores`, and where instances were left out.
        """
        return {label.name: self._instance_score([label], "class") for label in _with_instances()}

    @property
    def category_scores(self) -> dict[str, float]:
        """IoU of the 7 categories, by name, in [0, 1], NaN as in `class_scores`.

        Confusing two classes of the same category is not an error here.
        """
        return {category: self._score(labels) for category, labels in _by_category(SCORED, SCORED).items()}

    @property
    def category_instance_scores(self) -> dict[str, float]:
        """Instance-weighted IoU of the categories human and vehicle, by name, in [0, 1].

        NaN as in `class_instance_scores`. A pixel predicted as caravan or trailer counts as vehicle here, though
        neither is scored as a class.
        """
        groups = _by_category(IDENTIFIED, _with_instances())
        return {category: self._instance_score(labels, "category") for category, labels in groups.items()}

    @property
    def average_class_score(self) -> float:
        """The mean of `class_scores` without NaN, in [0, 1]: the mIoU of the benchmark."""
        return _average(self.class_scores)

    @property
    def average_class_instance_score(self) -> float:
        """The mean of `class_instance_scores` without NaN, in [0, 1]."""
        return _average(self.class_instance_scores)

    @property
    def average_category_score(self) -> float:
        """The mean of `category_scores` without NaN, in [0, 1]."""
        return _average(self.category_scores)

    @property
    def average_category_instance_score(self) -> float:
        """The mean of `category_instance_scores` without NaN, in [0, 1]."""
        return _average(self.category_instance_scores)

    @property
    def pixel_accuracy(self) -> float:
        """The share of correctly predicted pixels, among those whose truth is one of the 19 classes; in [0, 1]."""
        ids = [label.id for label in SCORED]
        return _ratio(np.diagonal(self.confusion)[ids].sum(), self.confusion[ids].sum(), 0)

    def to_dict(self) -> dict[str, Any]:
        """Returns what the official evaluator writes as JSON: the same keys, values and types.

        Its dicts name all 34 labels and 8 categories, with NaN where there is no score.
        """
        total = int(self.confusion.sum())
        none = dict.fromkeys((label.name for label in IDENTIFIED), math.nan)
        no_category = dict.fromkeys(CATEGORIES, math.nan)
        return {
            "confMatrix": self.confusion.tolist(),
            "priors": {label.name: int(self.confusion[label.id].sum()) / total for label in IDENTIFIED},
            "labels": {label.name: label.id for label in IDENTIFIED},
            "classScores": none | self.class_scores,
            "classInstScores": none | self.class_instance_scores,
            "categoryScores": no_category | self.category_scores,
            "categoryInstScores": no_category | self.category_instance_scores,
            "averageScoreClasses": self.average_class_score,
            "averageScoreInstClasses": self.average_class_instance_score,
            "averageScoreCategories": self.average_category_score,
            "averageScoreInstCategories": self.average_category_instance_score,
        }

    def write(self, path: str | os.PathLike) -> None:
        """Writes `to_dict` as the official evaluator does, for programs that read its file.

        As in the official file, a missing score is the word `NaN`. Python's `json` and other parsers accept it, but
        strict JSON does not.

        Args:
            path: the file to write, officially `resultPixelLevelSemanticLabeling.json`; its folder is created if it
                does not exist.
        """
        with replacing(path) as part:
            part.write_text(json.dumps(self.to_dict(), indent=4, sort_keys=True), encoding="utf-8")

    def __str__(self) -> str:
        images = "1 image" if self.num_images == 1 else f"{self.num_images} images"
        classes = _table("class", self.class_scores, self.class_instance_scores)
        categories = _table("category", self.category_scores, self.category_instance_scores)
        accuracy = f"pixel accuracy {percent(self.pixel_accuracy)} %, {images}"
        return "\n".join([*classes, "", *categories, "", accuracy])

    def _score(self, labels):
        ids = [label.id for label in labels]
        return _ratio(self.confusion[np.ix_(ids, ids)].sum(), self.confusion[ids].sum(), self._wrong(labels))

    def _instance_score(self, labels, kind):
        if self.instances is None:
            return math.nan
        ids = [label.id for label in labels]
        hits, misses = (getattr(self.instances, f"{kind}_{what}")[ids].sum() for what in ("hits", "misses"))
        return _ratio(hits, hits + misses, self._wrong(labels))

    def _wrong(self, labels):
        """Returns the pixels that were predicted as one of the labels, while the truth is a class of another group."""
        ids = [label.id for label in labels]
        # A label that is not scored is in `labels` only together with its whole category.
        others = [label.id for label in SCORED if label not in labels]
        return self.confusion[np.ix_(others, ids)].sum()


def _with_instances():
    return [label for label in SCORED if label.name in AVERAGE_INSTANCE_PIXELS]


def _by_category(labels, some):
    """Groups labels by category, for the categories of some labels."""
    categories = dict.fromkeys(label.category for label in some)
    return {category: [label for label in labels if label.category == category] for category in categories}


def _ratio(hits, true, wrong):
    union = float(true) + float(wrong)
    return float(hits) / union if union else math.nan


def _average(scores):
    present = [score for score in scores.values() if not math.isnan(score)]
    return sum(present) / len(present) if present else math.nan


def _table(title, scores, instance_scores):
    rows = [(name, percent(score), percent(instance_scores.get(name))) for name, score in scores.items()]
    average = (f"average {title}", percent(_average(scores)), percent(_average(instance_scores)))
    # The columns of both tables have the same width.
    width = max(map(len, (*CATEGORIES, *(label.name for label in SCORED), "average category")))
    return text_table((title, "IoU %", "iIoU %"), rows, [average], width=width)
