"""Distinguishes label ids, train ids and other values in label images."""

from typing import Literal

import numpy as np

from keras_hrnet.data_sets.cityscapes import ID_OF_TRAIN_ID, LABELS
from keras_hrnet.data_sets.classes import IGNORE_LABEL

LAST_ID = max(label.id for label in LABELS)
LAST_TRAIN_ID = len(ID_OF_TRAIN_ID) - 1


def mapping() -> np.ndarray:
    """Returns the label id of each train id, uint8 `(256,)`; 255 and other values become 0, `unlabeled`."""
    table = np.zeros(256, np.uint8)
    table[: len(ID_OF_TRAIN_ID)] = ID_OF_TRAIN_ID
    return table


def check_values(
    values: np.ndarray, lengths: np.ndarray, name: str, kind: Literal["truth", "label ids", "train ids"]
) -> None:
    """Raises a `ValueError` for a label image with invalid values.

    Args:
        values: integers `(num_runs,)`, the values of runs of equal pixels.
        lengths: integers `(num_runs,)`, the number of pixels of each run.
        name: name of the image in the error message.
        kind: what the image should hold: `"truth"` and `"label ids"` are 0 to 33, `"train ids"` 0 to 18 and 255.
    """
    is_strange = values > (LAST_TRAIN_ID if kind == "train ids" else LAST_ID)
    if kind == "train ids":
        is_strange &= values != IGNORE_LABEL
    if not is_strange.any():
        return
    strange = np.unique(values[is_strange]).tolist()
    pixels = int(lengths[is_strange].sum())
    listed = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
    expected, advice = {
        "truth": (f"label ids, 0 to {LAST_ID}", "Restore the file that Cityscapes delivers."),
        "label ids": (f"label ids, 0 to {LAST_ID}", _advice(strange)),
        "train ids": (
            f"train ids, 0 to {LAST_TRAIN_ID}, or {IGNORE_LABEL} where nothing is predicted",
            "If the files hold label ids, leave out `train_ids=True` (`--train-ids`).",
        ),
    }[kind]
    raise ValueError(f"Received {name} with the value {listed} in {pixels} pixels. Expected {expected}. {advice}")


def check_not_train_ids(confusion: np.ndarray) -> None:
    """Refuses counts which show that the predictions hold train ids where label ids were expected.

    Networks do not predict labels that no score includes, but train ids that are read as label ids mostly are such
    labels: road, 0, looks like `unlabeled`, and sky, 10, like `rail track`. Values above 18, on the other hand, are not
    train ids.

    Args:
        confusion: int64 `(34, 34)`, pixels by label id; rows are the truth, columns the prediction.

    Raises:
        ValueError: if no value above 18 was predicted, and more than half of the counted pixels have a label that no
            score includes.
    """
    scored = sorted(label.id for label in LABELS if label.id >= 0 and not label.ignore_in_eval)
    predicted = confusion[scored].sum(axis=0)
    num_pixels = int(predicted.sum())
    num_ignored = num_pixels - int(predicted[scored].sum())
    if confusion[:, LAST_TRAIN_ID + 1 :].any() or 2 * num_ignored <= num_pixels:
        return
    raise ValueError(
        f"Received predictions of which {100 * num_ignored / num_pixels:.0f} % have a label that no score includes, "
        f"and none has a value above {LAST_TRAIN_ID}: they look like train ids. Expected label ids, 0 to {LAST_ID}. "
        "Pass `train_ids=True` (`--train-ids`), or write the ids of `keras_hrnet.data_sets.cityscapes.CLASSES`."
    )


def _advice(strange):
    if strange == [IGNORE_LABEL]:
        return (
            f"{IGNORE_LABEL} is the train id of ignored pixels: the files probably hold train ids. If so, pass "
            "`train_ids=True` (`--train-ids`)."
        )
    return (
        "Write the ids of `keras_hrnet.data_sets.cityscapes.CLASSES`; if the files hold train ids, pass "
        "`train_ids=True` (`--train-ids`)."
    )
