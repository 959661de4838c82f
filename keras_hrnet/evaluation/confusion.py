"""Counts of pixels by true and by predicted class, and the scores that follow from them.

Counts are int64: the training images of Cityscapes have 6.2e9 pixels, more than int32 holds.
"""

import numpy as np
from numpy.typing import ArrayLike

from keras_hrnet.data_sets.classes import IGNORE_LABEL


def confusion_matrix(truth: ArrayLike, prediction: ArrayLike, num_classes: int) -> np.ndarray:
    """Counts the pixels of each pair of true and predicted class.

    Args:
        truth: integer array of any shape, train ids; pixels of 255 are not counted.
        prediction: integer array of the same shape, train ids.
        num_classes: the train ids are 0 to `num_classes - 1`; at most 255.

    Returns:
        int64 `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction.

    Raises:
        TypeError: if an array does not hold integers.
        ValueError: if the shapes differ, or a counted pixel has a train id that is not a class.

    Example:

    >>> from keras_hrnet.evaluation import confusion_matrix
    >>> confusion_matrix([0, 0, 1, 255], [0, 1, 1, 1], num_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    truth, prediction, counted = check_labels(truth, prediction, num_classes)
    truth, prediction = truth[counted], prediction[counted]
    pairs = truth.astype(np.int64) * num_classes + prediction
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes).astype(np.int64)


def intersection_over_union(confusion: np.ndarray) -> np.ndarray:
    """Divides, for each class, its pixels in both truth and prediction by its pixels in either.

    Args:
        confusion: int64 `(num_classes, num_classes)`, as `confusion_matrix` returns it.

    Returns:
        float64 `(num_classes,)` in [0, 1]; NaN for a class that is neither in the truth nor in the prediction.

    Reference: Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective", section 4.2; NaN as in
    cityscapesScripts (`getIouScoreForLabel`).
    """
    intersection = np.diagonal(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - np.diagonal(confusion)
    return np.divide(intersection, union, out=np.full(len(confusion), np.nan), where=union > 0)


def check_labels(
    truth: ArrayLike, prediction: ArrayLike, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Refuses labels that cannot be compared pixel by pixel.

    Args:
        truth: as in `confusion_matrix`.
        prediction: as in `confusion_matrix`.
        num_classes: as in `confusion_matrix`.

    Returns:
        Truth and prediction, and which pixels count: bool of the same shape.

    Raises:
        TypeError: as `confusion_matrix`.
        ValueError: as `confusion_matrix`.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    check_num_classes(num_classes)
    for name, labels in (("truth", truth), ("prediction", prediction)):
        if labels.dtype.kind not in "ui":
            raise TypeError(
                f"Received a {name} of dtype {labels.dtype}. Expected integers, the train ids of pixels. Convert it, "
                "for example with `.astype('uint8')`."
            )
    if truth.shape != prediction.shape:
        raise ValueError(
            f"Received a truth of shape {truth.shape} and a prediction of shape {prediction.shape}. Expected the "
            "same shape. Predict at the size of the truth."
        )
    counted = truth != IGNORE_LABEL
    _check_range("truth", truth, counted, num_classes)
    _check_range("prediction", prediction, counted, num_classes)
    return truth, prediction, counted


def check_num_classes(num_classes: int) -> None:
    """Refuses more classes than can be distinguished from ignored pixels.

    Raises:
        ValueError: if `num_classes` is less than 1 or more than 255.
    """
    if not 1 <= num_classes <= IGNORE_LABEL:
        raise ValueError(
            f"Received num_classes={num_classes}. Expected 1 to {IGNORE_LABEL}, because label {IGNORE_LABEL} marks "
            "ignored pixels. Merge classes."
        )


def _check_range(name, labels, counted, num_classes):
    beyond = counted & ((labels < 0) | (labels >= num_classes))
    if not beyond.any():
        return
    strange = [int(label) for label in np.unique(labels[beyond])]
    listed = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
    advice = "Map the label ids of the files to train ids, and ids without a train id to 255"
    if name == "prediction":
        advice = "Pass the number of classes that the network has"
    raise ValueError(
        f"Received a {name} with label {listed} for {num_classes} classes. Expected 0 to {num_classes - 1}"
        f"{', or 255 where a pixel is ignored' if name == 'truth' else ''}. {advice}."
    )
