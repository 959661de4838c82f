"""Counts many pairs of label images in parallel and adds them up: the public function `score_predictions`."""

import concurrent.futures
import operator
import os
from collections.abc import Callable
from typing import Any

from keras_hrnet.evaluation.official.files import find_pairs, read_instance_image, read_label_image
from keras_hrnet.evaluation.official.pair import count_pair
from keras_hrnet.evaluation.official.scores import SCORED, CityscapesScores
from keras_hrnet.evaluation.official.values import check_not_train_ids


def score_predictions(
    predictions: str | os.PathLike,
    ground_truth: str | os.PathLike,
    *,
    split: str = "val",
    instances: bool = True,
    train_ids: bool = False,
    num_workers: int | None = None,
    on_pair: Callable[[], Any] | None = None,
) -> CityscapesScores:
    """Scores predicted label images as the official Cityscapes evaluator does.

    All files are located before the first one is read. The workers are threads: almost all of the time is spent
    decoding PNG files and in NumPy, which release Python's global interpreter lock, and a process would have to import
    Keras first.

    Args:
        predictions: a folder of PNG files, one channel of 8 bits, label ids; the prediction for
            `aachen_000000_000019_gtFine_labelIds.png` is the only file in it or below that is named
            `aachen_000000_000019*.png`.
        ground_truth: the root of Cityscapes, which holds `gtFine`; or any folder with files `*_gtFine_labelIds.png`
            in it or below.
        split: split of Cityscapes, a folder in `gtFine`; it has no effect if `ground_truth` is another folder.
        instances: whether to score instances too, which requires `*_gtFine_instanceIds.png` next to each true label
            image.
        train_ids: whether the predictions hold train ids, 0 to 18, and 255 for no prediction, instead of label ids.
        num_workers: number of threads that read and count; None uses one for each processor.
        on_pair: called without arguments after each pair, for a progress bar.

    Returns:
        The scores, which do not depend on `num_workers`.

    Raises:
        TypeError: if `num_workers` is not an integer.
        FileNotFoundError: if a folder, a prediction or an instance file is missing, or there is no truth.
        ValueError: if `num_workers` is less than 1, there are several predictions for one truth, a file is not a label
            image or is truncated, a prediction has another size than its truth, a value is not a label id (with
            `train_ids`, not a train id), the predictions look like train ids and `train_ids` is False, or no true pixel
            has a class.

    Reference: cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py.

    Example:

    ```python
    scores = score_predictions("predictions", "cityscapes")
    print(scores)
    scores.write("resultPixelLevelSemanticLabeling.json")
    ```
    """
    num_workers = _check_num_workers(os.cpu_count() or 1 if num_workers is None else num_workers)
    pairs = find_pairs(predictions, ground_truth, split=split, instances=instances)
    total = None
    executor = concurrent.futures.ThreadPoolExecutor(num_workers)
    try:
        for counts in executor.map(lambda files: _count(files, train_ids), pairs):
            total = counts if total is None else total + counts
            if on_pair is not None:
                on_pair()
    finally:
        # With a `with` statement, pairs that still wait would be counted after an interrupt.
        executor.shutdown(cancel_futures=True)
    _check_has_classes(total.confusion, ground_truth, split)
    if not train_ids:
        check_not_train_ids(total.confusion)
    return CityscapesScores(total.confusion, total.instances, len(pairs))


def _count(files, train_ids):
    truth, prediction = read_label_image(files.truth), read_label_image(files.prediction)
    instances = None if files.instances is None else read_instance_image(files.instances)
    names = tuple(map(str, (files.truth, files.prediction, files.instances)))
    return count_pair(truth, prediction, instances, train_ids=train_ids, names=names)


def _check_num_workers(num_workers):
    try:
        number = operator.index(num_workers)
    except TypeError:
        raise TypeError(
            f"Received num_workers={num_workers!r}. Expected an integer, the number of threads. Leave it out to use "
            "one for each processor."
        ) from None
    if number < 1:
        raise ValueError(f"Received num_workers={number}. Expected at least 1. Leave it out to use all processors.")
    return number


def _check_has_classes(confusion, ground_truth, split):
    if confusion[[label.id for label in SCORED]].any():
        return
    raise ValueError(
        f"Received ground_truth={str(ground_truth)!r} (split {split!r}), in which no pixel has one of the "
        f"{len(SCORED)} classes. Expected true labels. The labels of the test split are not public. Score the val "
        "split, or submit the predictions to the Cityscapes server."
    )
