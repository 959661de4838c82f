"""The result of an evaluation: counts of pixels, the scores that follow from them, and a table of the scores."""

import dataclasses
import json
import os
from typing import Any

import numpy as np

from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, CLASSES
from keras_hrnet.data_sets.classes import Color
from keras_hrnet.evaluation.boundary import BoundaryCounts
from keras_hrnet.evaluation.confusion import intersection_over_union
from keras_hrnet.evaluation.protocol import Protocol
from keras_hrnet.evaluation.wording import is_known, mean, percent, text_table
from keras_hrnet.models.network import standardize_classes
from keras_hrnet.replacing import replacing


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """An image with its truth and its prediction, for pictures.

    Args:
        name: name of the image.
        mean_iou: mean IoU of this image alone, over the classes in its truth or its prediction; in [0, 1].
        image: uint8 `(height, width, 3)`, RGB in [0, 255].
        truth: integers `(height, width)`, train ids, 255 where a pixel is not counted.
        prediction: integers `(height, width)`, train ids.
    """

    name: str
    mean_iou: float
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluationReport:
    """The scores of a network on a set of images. `print` shows them as a table.

    Args:
        confusion: int64 `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction. Pixels
            whose truth is 255 are left out.
        class_names: names of the classes, by train id.
        num_images: number of images.
        seconds_per_image: time that the network took per image, as the median over the batches, without reading and
            counting. With a single batch, it includes compilation.
        protocol: how the network predicted the images; None if there was no network.
        network: name of the network.
        boundary: counts of pixels near the outlines of the classes; None if they were not counted.
        categories: the coarser group of each class, by train id; None means Cityscapes' groups for its 19 classes, and
            no groups otherwise.
        image_names: names of the images, in order.
        image_scores: float64 `(num_images,)`, the mean IoU of each image alone, in [0, 1]; NaN where all pixels are
            ignored.
        examples: the worst and the best images with their predictions, worst first.
        class_colors: red, green and blue of each class, by train id, each in [0, 255]; None means those of the data set
            with these class names, or else distinct colors.
    """

    confusion: np.ndarray
    class_names: tuple[str, ...]
    num_images: int
    seconds_per_image: float
    protocol: Protocol | None = None
    network: str = ""
    boundary: BoundaryCounts | None = None
    categories: tuple[str, ...] | None = None
    image_names: tuple[str, ...] = ()
    image_scores: np.ndarray | None = None
    examples: tuple[Example, ...] = ()
    class_colors: tuple[Color, ...] | None = None

    def __post_init__(self) -> None:
        if self.class_colors is None:
            object.__setattr__(self, "class_colors", standardize_classes(tuple(self.class_names)).colors)

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of each class, float64 `(num_classes,)` in [0, 1]; NaN where a class is absent.

        A class is absent if no counted pixel has it, neither in the truth nor in the prediction.
        """
        return intersection_over_union(self.confusion)

    @property
    def unlabeled_classes(self) -> tuple[str, ...]:
        """The names of the classes that have no counted pixels in the labels; their scores are meaningless."""
        pixels = self.confusion.sum(axis=1)
        return tuple(name for name, count in zip(self.class_names, pixels, strict=True) if not count)

    @property
    def unlabeled_note(self) -> str:
        """Names the unlabeled classes, and those of them that were predicted nevertheless; "" if there are none."""
        if not self.unlabeled_classes:
            return ""
        scores = dict(zip(self.class_names, self.iou, strict=True))
        predicted = [name for name in self.unlabeled_classes if is_known(scores[name])]
        counted = f" Predicted nevertheless, which counts as an IoU of 0: {', '.join(predicted)}." if predicted else ""
        return f"Classes without a pixel in the labels: {', '.join(self.unlabeled_classes)}.{counted}"

    @property
    def mean_iou(self) -> float:
        """The mean of `iou` over the classes that are not absent, in [0, 1].

        A class that only occurs in the prediction counts as 0. The pixels of all images are counted together, so this
        is not a mean over images.
        """
        return float(np.nanmean(self.iou))

    @property
    def pixel_accuracy(self) -> float:
        """The share of the counted pixels whose class was predicted correctly, in [0, 1]."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def frequency_weighted_iou(self) -> float:
        """The mean of `iou`, each class weighted by its share of the true pixels, in [0, 1].

        Reference: Long et al., "Fully Convolutional Networks for Semantic Segmentation", 2015, section 5.
        """
        pixels = self.confusion.sum(axis=1)
        present = pixels > 0
        return float(np.sum(self.iou[present] * pixels[present]) / pixels.sum())

    @property
    def category_iou(self) -> dict[str, float]:
        """IoU of the groups of classes, by name, in [0, 1]; NaN for an absent group.

        Confusing two classes of the same group is not an error here. If the classes have no groups, the dict is empty.

        Reference: cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py, `getIouScoreForCategory`.
        """
        categories = self._categories()
        names = tuple(dict.fromkeys(categories))
        group = np.array([names.index(category) for category in categories], dtype=int)
        merged = np.zeros((len(names), len(names)), np.int64)
        if names:
            np.add.at(merged, (group[:, np.newaxis], group[np.newaxis, :]), self.confusion)
        return dict(zip(names, map(float, intersection_over_union(merged)), strict=True))

    @property
    def boundary_iou(self) -> np.ndarray | None:
        """IoU of the pixels near the outlines of each class, float64 `(num_classes,)`; NaN where a class is absent.

        None if they were not counted.
        """
        return None if self.boundary is None else self.boundary.iou

    @property
    def mean_boundary_iou(self) -> float | None:
        """The mean of `boundary_iou` over the classes that are not absent, in [0, 1]; None if there is no value."""
        return None if self.boundary is None else mean(self.boundary.iou)

    def _categories(self):
        if self.categories is not None:
            return self.categories
        return tuple(label.category for label in CLASSES) if self.class_names == CLASS_NAMES else ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the report in types that JSON supports: numbers, strings, lists and dicts; NaN becomes None.

        Pictures are left out.
        """
        boundary = self.boundary_iou
        return {
            "network": self.network,
            "protocol": None if self.protocol is None else self.protocol.to_dict(),
            "mean_iou": self.mean_iou,
            "pixel_accuracy": self.pixel_accuracy,
            "frequency_weighted_iou": self.frequency_weighted_iou,
            "mean_boundary_iou": self.mean_boundary_iou,
            "iou": _by_name(self.class_names, self.iou),
            "category_iou": _by_name(self.category_iou, self.category_iou.values()),
            "boundary_iou": None if boundary is None else _by_name(self.class_names, boundary),
            "boundary_ratio": None if self.boundary is None else self.boundary.ratio,
            "confusion": self.confusion.tolist(),
            "class_names": list(self.class_names),
            "class_colors": [list(color) for color in self.class_colors],
            "num_images": self.num_images,
            "seconds_per_image": self.seconds_per_image,
            "images": _by_name(self.image_names, () if self.image_scores is None else self.image_scores),
        }

    def write(self, path: str | os.PathLike) -> None:
        """Writes `to_dict` as JSON.

        Args:
            path: the file to write; its folder is created if it does not exist.
        """
        with replacing(path) as part:
            part.write_text(json.dumps(self.to_dict(), indent=2), encoding="utf-8")

    def __str__(self) -> str:
        num_present = int(np.count_nonzero(~np.isnan(self.iou)))
        pixels = self.confusion.sum(axis=1)
        boundary = [None] * len(self.class_names) if self.boundary is None else self.boundary_iou

        def row(name, iou, boundary, share):
            middle = () if self.boundary is None else (percent(boundary),)
            return name, percent(iou), *middle, percent(share or None, 3)

        header = ("class", "IoU %", *(() if self.boundary is None else ("boundary %",)), "pixels %")
        rows = map(row, self.class_names, self.iou, boundary, pixels / pixels.sum())
        name = f"mean of {num_present} {'class' if num_present == 1 else 'classes'}"
        groups = [(name, percent(iou)) for name, iou in self.category_iou.items()]
        lines = text_table(header, list(rows), [row(name, self.mean_iou, self.mean_boundary_iou, 1)], groups)
        images = "1 image" if self.num_images == 1 else f"{self.num_images} images"
        lines.append(
            f"pixel accuracy {percent(self.pixel_accuracy)} %, frequency-weighted IoU "
            f"{percent(self.frequency_weighted_iou)} %, {images}, {self.seconds_per_image:.3g} s per image"
        )
        if self.unlabeled_classes:
            lines.append(self.unlabeled_note)
        if self.protocol is not None:
            lines.append(f"protocol: {self.protocol}")
        return "\n".join(lines)


def _by_name(names, scores):
    return {name: float(score) if is_known(score) else None for name, score in zip(names, scores, strict=True)}
