"""Selects what the confusion matrix of a page shows, and its colors."""

import math

import numpy as np

NUM_LEVELS = 10
# A heatmap of more classes is neither readable nor small: 171 classes have 29,241 cells.
MOST_CLASSES = 40
MOST_WORDS = 12
SMALLEST_SHARE = 0.0005


def largest_confusions(confusion: np.ndarray) -> list[tuple[int, int, float, int]]:
    """Finds the classes that are most often confused with another, relative to how often they occur.

    Args:
        confusion: int `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction.

    Returns:
        At most 12 tuples, the largest share first: true class, predicted class, share of the true class's pixels, and
        number of pixels.
    """
    shares = shares_of_truth(confusion)
    off = ~np.eye(len(confusion), dtype=bool)
    found = np.argwhere(off & (confusion > 0) & (np.nan_to_num(shares) >= SMALLEST_SHARE))
    rows = [(int(i), int(j), float(shares[i, j]), int(confusion[i, j])) for i, j in found]
    return sorted(rows, key=lambda row: -row[2])[:MOST_WORDS]


def shares_of_truth(confusion: np.ndarray) -> np.ndarray:
    """Divides each row by its sum: float64 in [0, 1]; NaN for a class that is never true."""
    pixels = confusion.sum(axis=1, keepdims=True)
    return np.divide(confusion, pixels, out=np.full(confusion.shape, np.nan), where=pixels > 0)


def shown_classes(confusion: np.ndarray) -> list[int]:
    """Returns the 40 classes that are confused most often, in class order."""
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * np.diag(confusion)
    return sorted(np.argsort(-wrong, kind="stable")[:MOST_CLASSES].tolist())


def level(share: float, is_right: bool) -> str:
    """Returns the CSS classes of a cell: its hue, and its strength from 1 to 10.

    The strength of an error is the square root of its share of the truth, in (0, 1], because even an error of 4 % of a
    class is serious.
    """
    strength = share if is_right else math.sqrt(share)
    # In floating point, 0.3 * 10 is more than 3; rounding removes the excess.
    return f"{'right' if is_right else 'wrong'} level-{max(1, math.ceil(NUM_LEVELS * strength - 1e-9))}"
