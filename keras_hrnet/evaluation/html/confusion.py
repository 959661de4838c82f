"""What the confusion matrix of a page shows, and how strongly."""

import math

import numpy as np

NUM_LEVELS = 10
# A heatmap of more classes is neither read nor small: 171 have 29,241 cells.
MOST_CLASSES = 40
MOST_WORDS = 12
SMALLEST_SHARE = 0.0005


def largest_confusions(confusion: np.ndarray) -> list[tuple[int, int, float, int]]:
    """Finds what is taken for something else most often, relative to how often it occurs.

    Args:
        confusion: int `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction.

    Returns:
        Truth, prediction, share of the truth and pixels, largest share first, at most 12.
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
    """Returns the 40 classes that are confused most, in their order."""
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * np.diag(confusion)
    return sorted(np.argsort(-wrong, kind="stable")[:MOST_CLASSES].tolist())


def level(share: float, is_right: bool) -> str:
    """Returns the classes of the style of a cell: its hue, and how strong it is, 1 to 10.

    The square root of a wrong share of the truth, in (0, 1], counts: 4 % of a class called another is already a lot.
    """
    strength = share if is_right else math.sqrt(share)
    # 0.3 * 10 is more than 3 in floating point, and no more than that is meant.
    return f"{'right' if is_right else 'wrong'} level-{max(1, math.ceil(NUM_LEVELS * strength - 1e-9))}"
