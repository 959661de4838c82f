"""Boundary IoU: scores near the outlines of the classes, where segmentation is hardest."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.evaluation.confusion import check_labels

# bowenc0221/boundary-iou-api, tools/cityscapes_instance_evaluation.py and tools/cityscapes_panoptic_evaluation.py,
# `--dilation-ratio`: 11 pixels of 1024 by 2048.
BOUNDARY_RATIO = 0.005


@dataclasses.dataclass(frozen=True, eq=False)
class BoundaryCounts:
    """Pixels near the outlines of the classes. `+` adds up those of several images.

    Args:
        ratio: maximum distance of a pixel from its outline, as a share of the image's diagonal.
        pixels: int64 `(3, num_classes)`, pixels near the outline of their class: in both truth and prediction, in the
            truth, and in the prediction.

    Raises:
        ValueError: if `ratio` is not above 0 and at most 1, or counts with different classes or ratios are added.
    """

    ratio: float
    pixels: np.ndarray

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise ValueError(
                f"Received ratio={self.ratio}. Expected more than 0 and at most 1, a share of the image's diagonal. "
                f"Divide a distance in pixels by the diagonal; {BOUNDARY_RATIO} is usual for Cityscapes."
            )

    @property
    def iou(self) -> np.ndarray:
        """Boundary IoU of each class, float64 `(num_classes,)` in [0, 1]; NaN where a class is absent.

        A class is absent if no counted pixel has it, neither in the truth nor in the prediction.

        Reference: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", 2021,
        equation 1.
        """
        intersection, truth, prediction = self.pixels
        union = truth + prediction - intersection
        return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        if not isinstance(other, BoundaryCounts):
            return NotImplemented
        if self.ratio != other.ratio or self.pixels.shape != other.pixels.shape:
            raise ValueError(
                f"Received counts of {other.pixels.shape[1]} classes at ratio {other.ratio} to add to counts of "
                f"{self.pixels.shape[1]} classes at ratio {self.ratio}. Expected the same classes and ratio. Count "
                "all images with the same settings."
            )
        return BoundaryCounts(self.ratio, self.pixels + other.pixels)


def boundary_counts(
    truth: ArrayLike, prediction: ArrayLike, num_classes: int, ratio: float = BOUNDARY_RATIO
) -> BoundaryCounts:
    """Counts the pixels near the outlines of the classes in the truth, in the prediction and in both.

    A pixel is near an outline if a pixel of another class lies within the distance, in rows and in columns; the outside
    of the image has no class. The distance is rounded to whole pixels, and is at least one.

    Args:
        truth: integers `(height, width)` or `(batch, height, width)`, train ids; pixels of 255 are not counted. They
            end the classes around them, both in the truth and in the prediction.
        prediction: integers of the same shape, train ids.
        num_classes: the train ids are 0 to `num_classes - 1`; at most 255.
        ratio: the distance as a share of the image's diagonal, in (0, 1].

    Returns:
        `BoundaryCounts`, summed over the images of a batch, each of which has its own outlines.

    Raises:
        TypeError: if an array does not hold integers.
        ValueError: if the shapes differ or are not those of images, a counted pixel has a train id beyond the
            classes, or the ratio is beyond its range.

    Reference: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", 2021, equation 1;
    bowenc0221/boundary-iou-api, boundary_iou/utils/boundary_utils.py, `mask_to_boundary`.

    Example:

    >>> from keras_hrnet.evaluation.boundary import boundary_counts
    >>> counts = boundary_counts([[0, 0, 1, 1]], [[0, 1, 1, 1]], num_classes=2)
    >>> counts.pixels
    array([[1, 2],
           [2, 2],
           [1, 3]])
    >>> counts.iou.round(2)
    array([0.5 , 0.67])
    """
    truth, prediction, counted = check_labels(truth, prediction, num_classes)
    if truth.ndim not in (2, 3):
        raise ValueError(
            f"Received labels of shape {truth.shape}. Expected (height, width) or (batch, height, width). Pass whole "
            "images, because a list of pixels has no outlines."
        )
    pixels = np.zeros((3, num_classes), np.int64)
    counts = BoundaryCounts(ratio, pixels)
    height, width = truth.shape[-2:]
    distance = max(1, round(ratio * math.sqrt(height**2 + width**2)))
    truth, prediction = truth.astype(np.uint8), prediction.astype(np.uint8)
    # The paper has no ignored pixels. Its code for Cityscapes lets predicted masks continue beneath them. Then only the
    # truth has an outline there, and not even a perfect prediction reaches 1.
    prediction[~counted] = IGNORE_LABEL
    if truth.ndim == 2:
        truth, prediction = truth[np.newaxis], prediction[np.newaxis]
    for image_truth, image_prediction in zip(truth, prediction, strict=True):
        pixels += _count(image_truth, image_prediction, num_classes, distance)
    return counts


def _count(truth, prediction, num_classes, distance):
    near_truth, near_prediction = _near_outline(truth, distance), _near_outline(prediction, distance)
    near_both = near_truth & near_prediction & (truth == prediction)
    near = (truth[near_both], truth[near_truth], prediction[near_prediction])
    return np.stack([np.bincount(labels, minlength=IGNORE_LABEL + 1)[:num_classes] for labels in near])


def _near_outline(labels, distance):
    """Returns a bool for each pixel: whether another label, or the edge of the image, is within the distance."""
    near = np.ones(labels.shape, bool)
    if min(labels.shape) > 2 * distance:
        inner = slice(distance, -distance)
        near[inner, inner] = _any_in_window(_changes(labels), 2 * distance)
    return near


def _changes(labels):
    """Returns bool `(height - 1, width - 1)`: for each square of two by two pixels, whether their labels differ."""
    right = labels[:, 1:] != labels[:, :-1]
    down = labels[1:] != labels[:-1]
    return right[1:] | right[:-1] | down[:, 1:]


def _any_in_window(x, size):
    """Returns for each square of `size` by `size` values whether one is true: bool, `size - 1` shorter in each axis."""
    length = 1
    while length < size:
        step = min(length, size - length)
        x = x[:-step] | x[step:]
        x = x[:, :-step] | x[:, step:]
        length += step
    return x
