"""Computes the share of each class in the labels, and loss weights from these shares."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

ENET_OFFSET = 1.02
"""Paszke et al., "ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation", section 4."""


def class_shares(dataset: Iterable, num_classes: int) -> np.ndarray:
    """Computes the share of each class in the labels of all batches of a dataset.

    For training data, these are the shares in its crops.

    Args:
        dataset: batches `(image, label)`, such as those of `cityscapes` or `folders`; labels are train ids of any
            integer type and shape.
        num_classes: number of classes; other values are ignored.

    Returns:
        float64 `(num_classes,)`: the share of each class in all pixels that have one. They add up to 1.

    Raises:
        ValueError: if no pixel has a class.

    Example:

    >>> import numpy as np
    >>> class_shares([(None, np.array([[0, 0, 1, 255]]))], 2).round(3).tolist()
    [0.667, 0.333]
    """
    counts = np.zeros(num_classes, np.int64)
    for _, label in dataset:
        label = np.asarray(label).ravel()
        counts += np.bincount(label[(label >= 0) & (label < num_classes)], minlength=num_classes)
    if not counts.sum():
        raise ValueError(
            f"No pixel of the dataset has a class from 0 to {num_classes - 1}. Expected labels of {num_classes} "
            "classes. Check the labels, id_map (--id-map) and ignore_label (--ignore-label)."
        )
    return counts / counts.sum()


def class_weights(shares: Sequence[float], method: Literal["enet", "median_frequency"] = "enet") -> np.ndarray:
    """Computes loss weights from the shares of the classes, with mean 1 over the classes that occur.

    Args:
        shares: the result of `class_shares`.
        method: "enet" for 1 / ln(1.02 + share), by which a rare class has at most 36 times the weight of a common one;
            "median_frequency" for the median of the shares divided by the share, which has no such limit.

    Returns:
        float64 `(num_classes,)`. A class that does not occur has the weight of the rarest class that does.

    Raises:
        ValueError: if there is no such method, or the shares are negative or all 0.

    Example:

    >>> class_weights([0.9, 0.09, 0.01]).round(2).tolist()
    [0.1, 0.64, 2.26]

    Reference: "enet": Paszke et al., "ENet", section 4. "median_frequency": Eigen and Fergus, "Predicting Depth,
    Surface Normals and Semantic Labels", section 6.3.2, over all pixels.
    """
    shares = np.asarray(shares, np.float64)
    if shares.ndim != 1 or not np.isfinite(shares).all() or shares.min(initial=0) < 0 or not shares.any():
        raise ValueError(f"Received shares={shares}. Expected a share of each class. Pass the result of class_shares.")
    occurring = shares > 0
    shares = np.where(occurring, shares, shares[occurring].min())
    if method == "enet":
        weights = 1 / np.log(ENET_OFFSET + shares)
    elif method == "median_frequency":
        weights = np.median(shares[occurring]) / shares
    else:
        raise ValueError(f"Received method={method!r}. Expected 'enet' or 'median_frequency'. Choose one of them.")
    return weights / weights[occurring].mean()
