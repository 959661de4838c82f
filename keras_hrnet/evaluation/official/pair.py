"""Counts one pair of a true and a predicted label image: pixels by label, and weighted pixels of instances."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_hrnet.data_sets.cityscapes import LABELS
from keras_hrnet.evaluation.official.values import check_values, mapping

NUM_IDS = 1 + max(label.id for label in LABELS)
"""Label ids are 0 to 33; the license plate, −1, does not occur in label images."""

# cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py, `args.avgClassSize`. Its values for caravan and
# trailer are left out, because no score includes these classes.
AVERAGE_INSTANCE_PIXELS = {
    "person": 3462.4756337644,
    "rider": 3930.4788056518,
    "car": 12794.0202738185,
    "truck": 27855.1264367816,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "motorcycle": 6298.7200839748,
    "bicycle": 4672.3249222261,
}
"""The mean size of an instance in the training images, by class, in pixels."""

# An instance image holds this times the label id, plus a number; smaller values are regions without instances.
IDS_PER_LABEL = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class InstanceCounts:
    """Pixels of the true instances, each instance scaled to the mean size of its class.

    All four are float64 `(34,)`, scaled pixels, by the label id of the instance.

    Args:
        class_hits: predicted as the instance's class.
        class_misses: predicted as another class.
        category_hits: predicted as any class of the instance's category.
        category_misses: predicted as a class of another category.
    """

    class_hits: np.ndarray
    class_misses: np.ndarray
    category_hits: np.ndarray
    category_misses: np.ndarray

    def __add__(self, other: InstanceCounts) -> InstanceCounts:
        names = (field.name for field in dataclasses.fields(self))
        return InstanceCounts(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclasses.dataclass(frozen=True, eq=False)
class PairCounts:
    """The counts of one pair, or of several pairs: `+` adds them.

    Args:
        confusion: int64 `(34, 34)`, pixels by label id; rows are the truth, columns the prediction.
        instances: pixels of instances; None if they were not counted.
    """

    confusion: np.ndarray
    instances: InstanceCounts | None

    def __add__(self, other: PairCounts) -> PairCounts:
        instances = None if self.instances is None else self.instances + other.instances
        return PairCounts(self.confusion + other.confusion, instances)


def count_pair(
    truth: np.ndarray,
    prediction: np.ndarray,
    instances: np.ndarray | None = None,
    *,
    train_ids: bool = False,
    names: tuple[str, str, str] = ("the truth", "the prediction", "the instances"),
) -> PairCounts:
    """Counts the pixels of each pair of true and predicted label, and the scaled pixels of each class's instances.

    Label images consist of long runs of equal pixels. Only the runs are counted, weighted by their lengths.

    Args:
        truth: uint8 `(height, width)`, label ids, 0 to 33.
        prediction: uint8 `(height, width)`, label ids, 0 to 33.
        instances: uint16 `(height, width)`: the label id, or 1000 times the label id plus a number where instances are
            distinguished; None leaves instances out.
        train_ids: whether the prediction holds train ids, 0 to 18, or 255 where nothing is predicted.
        names: names of the three arrays in error messages.

    Raises:
        TypeError: if an array has another dtype.
        ValueError: if the shapes differ or are empty, or a value is not one of those above.

    Reference: cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py, `evaluatePair`.

    Example:

    >>> import numpy as np
    >>> road = np.full((2, 3), 7, np.uint8)
    >>> int(count_pair(road, road).confusion[7, 7])
    6
    """
    arrays = [truth, prediction] if instances is None else [truth, prediction, instances]
    _check_arrays(arrays, names)
    starts, lengths = _runs(arrays)
    truth, prediction, *rest = (array.ravel()[starts] for array in arrays)
    check_values(truth, lengths, names[0], "truth")
    check_values(prediction, lengths, names[1], "train ids" if train_ids else "label ids")
    if train_ids:
        prediction = mapping()[prediction]
    pairs = truth.astype(np.intp) * NUM_IDS + prediction
    # Weights make `bincount` add in float64, which holds pixels of one image exactly.
    confusion = np.bincount(pairs, lengths, NUM_IDS**2).astype(np.int64).reshape(NUM_IDS, NUM_IDS)
    return PairCounts(confusion, _count_instances(rest[0], prediction, lengths, names[2]) if rest else None)


def _check_arrays(arrays, names):
    for array, name, dtype in zip(arrays, names, (np.uint8, np.uint8, np.uint16), strict=False):
        if array.dtype != dtype:
            raise TypeError(
                f"Received {name} of dtype {array.dtype}. Expected {np.dtype(dtype)}. Convert it with "
                f"`.astype('{np.dtype(dtype)}')`."
            )
    truth = arrays[0]
    if truth.ndim != 2 or truth.size == 0:
        raise ValueError(
            f"Received {names[0]} of shape {truth.shape}. Expected (height, width) with at least one pixel. Pass one "
            "label image at a time."
        )
    for array, name in zip(arrays[1:], names[1:], strict=False):
        if array.shape != truth.shape:
            raise ValueError(
                f"Received {name} of shape {array.shape} for {names[0]} of shape {truth.shape}. Expected the same "
                "height and width. Write the labels at the size of the truth, upsampled by nearest neighbor."
            )


def _runs(arrays):
    """Returns the starts and lengths of runs of pixels that are equal in all arrays, row after row."""
    flat = [array.ravel() for array in arrays]
    changes = flat[0][1:] != flat[0][:-1]
    for array in flat[1:]:
        changes |= array[1:] != array[:-1]
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    return starts, np.diff(starts, append=flat[0].size)


def _count_instances(instances, prediction, lengths, name):
    """Counts runs of pixels; each run has an instance value, a predicted label id and a length."""
    inside = instances >= IDS_PER_LABEL
    instances, prediction, lengths = instances[inside], prediction[inside], lengths[inside]
    true = instances // IDS_PER_LABEL
    _check_instances(instances, true, name)
    category = _by_id(lambda label: label.category_id, np.intp)
    sizes = np.bincount(instances, lengths)
    hits = np.bincount(instances, lengths * (prediction == true))
    category_hits = np.bincount(instances, lengths * (category[prediction] == category[true]))
    scale = _by_id(lambda label: AVERAGE_INSTANCE_PIXELS.get(label.name, 0.0), np.float64)
    found = np.flatnonzero(sizes)
    labels = found // IDS_PER_LABEL
    sizes, hits, category_hits = sizes[found], hits[found], category_hits[found]
    weights = scale[labels] / sizes

    def by_label(pixels):
        return np.bincount(labels, pixels * weights, NUM_IDS)

    return InstanceCounts(*map(by_label, (hits, sizes - hits, category_hits, sizes - category_hits)))


def _check_instances(instances, labels, name):
    possible = _by_id(lambda label: label.has_instances or label.ignore_in_eval, bool)
    strange = instances[(labels >= NUM_IDS) | ~possible[np.minimum(labels, NUM_IDS - 1)]]
    if strange.size:
        raise ValueError(
            f"Received {name} with the value {strange[0]}. Expected a label id, or {IDS_PER_LABEL} times the id of a "
            "label that has instances, plus a number. Restore the file that Cityscapes delivers."
        )


def _by_id(value_of, dtype):
    """Returns a property of the labels 0 to 33 as an array `(34,)`."""
    table = np.zeros(NUM_IDS, dtype)
    for label in LABELS:
        if label.id >= 0:
            table[label.id] = value_of(label)
    return table
