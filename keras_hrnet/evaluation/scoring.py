"""Scores a network on labeled images: the public function `evaluate`."""

import collections
import concurrent.futures
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes
from keras_hrnet.evaluation.boundary import BOUNDARY_RATIO
from keras_hrnet.evaluation.confusion import check_num_classes
from keras_hrnet.evaluation.protocol import Average
from keras_hrnet.evaluation.report import EvaluationReport
from keras_hrnet.evaluation.segmenter import Segmenter
from keras_hrnet.evaluation.tally import Tally
from keras_hrnet.models.interface import ForeignNetwork, check_weights
from keras_hrnet.models.network import checked_classes, classes_of, own_classes, standardize_classes

# The number of batches that may wait to be counted while the network predicts.
NUM_WAITING = 2


def evaluate(
    model: keras.Model | ForeignNetwork,
    dataset: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    tile: tuple[int, int] | None = None,
    overlap: int | None = None,
    average: Average = "official",
    class_names: Classes | Sequence[str] | str | None = None,
    categories: Sequence[str] | None = None,
    boundary_ratio: float | None = BOUNDARY_RATIO,
    image_names: Sequence[str] | None = None,
    num_examples: int = 0,
    on_batch: Callable[[int], Any] | None = None,
) -> EvaluationReport:
    """Scores a network on labeled images, pixel by pixel, at the size of the labels.

    Counting is exact (int64) on every backend, and overlaps with the network. JAX compiles for each new image size,
    TensorFlow for the first two; images of the same size, or tiles, are fastest.

    Args:
        model: a network from RGB images to logits of their height and width; or the result of `labels_model`; or an
            exported file (`keras_hrnet.export.ExportedNetwork`).
        dataset: an iterable of batches `(image, label)`, read to its end: images uint8 or float32 `(batch, height,
            width, 3)`, RGB in [0, 255], or as the network was built (channels first works too); labels integers
            `(batch, height, width)`, train ids, with 255 or the ignore label of the classes for pixels that are not
            counted. Batches may differ in the number and size of their images.
        scales: factors of the image's height and width, whose predictions are averaged (test-time augmentation).
        flip: whether to average the predictions for the image and its mirror image.
        tile: (height, width) in pixels of tiles that the network predicts one by one; None for whole images.
        overlap: minimum overlap of neighboring tiles in pixels; None for a quarter of the shorter side.
        average: "official" (as the published code) or "probabilities"; see `keras_hrnet.evaluation.Protocol`.
        class_names: names of the classes, by train id; or a `Classes`, which also has their colors and ignore label;
            or the name of a data set. None uses the dataset's `classes` or `class_names`, or those of the network if
            the dataset has none.
        categories: the coarser group of each class, by train id. None means Cityscapes' groups for its 19 classes, and
            no groups otherwise.
        boundary_ratio: maximum distance of a pixel from its outline for boundary IoU, as a share of the image's
            diagonal; None leaves boundary IoU out.
        image_names: names of the images, in order. None uses the dataset's `image_names`, or if it has none, "image
            1", "image 2" and so on.
        num_examples: number of worst images, and of best images, whose pixels the report keeps.
        on_batch: called after each batch with the number of images so far.

    Returns:
        The report; `print` shows it as a table.

    Raises:
        TypeError: if `model` is not a built functional model, or the labels are not integers.
        ValueError: if an option is invalid, the output is not a map of logits, its size differs from that of the
            labels, the number of names differs from that of the classes or images, the dataset's classes differ from
            the network's, a label is not a class, there is nothing to count, a weight is NaN or infinite, or the
            network normalizes images itself and receives floats in [0, 1] or normalized images instead of [0, 255].

    Example:

    ```python
    report = keras_hrnet.evaluate(model, cityscapes("data/cityscapes", "val"))
    print(report)
    published = keras_hrnet.evaluate(model, val, scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75), flip=True)
    ```
    """
    check_weights(model)
    segmenter = Segmenter(model, scales=scales, flip=flip, tile=tile, overlap=overlap, average=average)
    classes = _classes(model, class_names, dataset)
    _check_categories(categories, classes.names)
    _check_end(dataset)
    image_names = getattr(dataset, "image_names", None) if image_names is None else image_names
    tally = Tally(len(classes.names), image_names, boundary_ratio, num_examples)
    seconds, waiting = [], collections.deque()
    with concurrent.futures.ThreadPoolExecutor(1) as counter:
        for batch in dataset:
            images, truth = _images_and_labels(batch, classes.ignore_label)
            start = time.perf_counter()
            prediction = segmenter.labels(images)
            seconds.append((time.perf_counter() - start) / len(images))
            _check_same_size(prediction.shape[1:], truth)
            waiting.append(counter.submit(tally.add, images, truth, prediction))
            while len(waiting) > NUM_WAITING:
                _finish(waiting, on_batch)
        while waiting:
            _finish(waiting, on_batch)
    tally.check_counted()
    return EvaluationReport(
        confusion=tally.confusion,
        class_names=classes.names,
        class_colors=classes.colors,
        num_images=len(tally.scores),
        seconds_per_image=float(np.median(seconds)),
        protocol=segmenter.protocol,
        network=model.name,
        boundary=tally.boundary,
        categories=None if categories is None else tuple(categories),
        image_names=tuple(tally.names),
        image_scores=np.array(tally.scores),
        examples=tuple(tally.examples),
    )


def _finish(waiting, on_batch):
    num_images = waiting.popleft().result()
    if on_batch is not None:
        on_batch(num_images)


def _classes(model, class_names, dataset):
    """Returns the classes to score: those of the argument, otherwise those of network and dataset, which must agree."""
    own, data = own_classes(model), getattr(dataset, "classes", None)
    truth = data if isinstance(data, Classes) else own
    if not isinstance(data, Classes):
        names = getattr(dataset, "class_names", None)
        data = None if names is None else standardize_classes(names)
    classes = checked_classes(model, class_names if class_names is not None else data or classes_of(model))
    check_num_classes(len(classes.names))
    if isinstance(class_names, Classes):
        return classes
    if class_names is None and own and own.are_named:
        _check_same_names(model, own, classes)
        classes = own
    # Names alone do not determine colors.
    classes = next((known for known in (own, data) if known and known.names == classes.names), classes)
    return replace(classes, ignore_label=truth.ignore_label) if truth else classes


def _check_same_names(model, own, data):
    difference = own.first_difference(data)
    if data.are_named and difference:
        i, name, other = difference
        raise ValueError(
            f"Received the model {model.name!r}, whose class {i} is {name!r}, and data whose class {i} is {other!r}. "
            "Expected the same classes in the same order. Make the data with model.class_names, or pass class_names "
            "if the classes differ only in their names."
        )


def _check_categories(categories, class_names):
    if categories is not None and len(categories) != len(class_names):
        raise ValueError(
            f"Received {len(categories)} categories for {len(class_names)} classes. Expected the name of a group for "
            "each class. Pass one for each class, or leave them out."
        )


def _check_end(dataset):
    # The cardinality of a dataset that repeats forever is -1 (tf.data.INFINITE_CARDINALITY).
    cardinality = getattr(dataset, "cardinality", None)
    if cardinality is not None and int(cardinality()) == -1:
        raise ValueError(
            "Received a dataset that never ends. Expected one pass over the images. Remove its `.repeat()`, or take "
            "a number of batches: `dataset.take(100)`."
        )


def _images_and_labels(batch, ignore_label):
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        parts = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else f"type {type(batch).__name__}"
        raise ValueError(
            f"Received a batch of {parts}. Expected a pair (images, labels). Map the dataset to such pairs."
        )
    images, labels = (np.asarray(part) for part in batch)
    if labels.ndim != 3 or len(labels) != len(images):
        raise ValueError(
            f"Received labels of shape {labels.shape} for images of shape {images.shape}. Expected labels (batch, "
            "height, width). Batch both, and remove the labels' axis of length one."
        )
    if ignore_label != IGNORE_LABEL and np.any(labels == ignore_label):
        labels = np.where(labels == ignore_label, np.int32(IGNORE_LABEL), labels)
    return images, labels


def _check_same_size(size, labels):
    if labels.shape[1:] != tuple(size):
        raise ValueError(
            f"Received labels of size {labels.shape[1:]} for images of size {tuple(size)}. Expected the same size. "
            "Score at the size of the labels: resize the images, never the labels."
        )
