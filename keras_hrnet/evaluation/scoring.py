"""Scores a network on labelled images: the public function `evaluate`."""

import time

import numpy as np

from keras_hrnet.evaluation.confusion import check_num_classes, confusion_matrix
from keras_hrnet.evaluation.inference import (
    check_model,
    check_size,
    gives_labels,
    image_size,
    images_for,
    labels_model,
    num_classes,
)
from keras_hrnet.evaluation.report import EvaluationReport
from keras_hrnet.labels import CLASS_NAMES, IGNORE_LABEL


def evaluate(model, dataset, *, class_names=None):
    """Scores a network on labelled images, pixel by pixel, at the size of the labels.

    Counting is exact (int64) on every backend. JAX compiles each new image size, TensorFlow the first two: images of
    one size go fastest.

    Args:
        model: a network from RGB images to logits of their height and width; or what `labels_model` made of one.
        dataset: an iterable of batches `(image, label)`, read to its end: images uint8 or float32 `(batch, height,
            width, 3)`, RGB in [0, 255] (channels first works too); labels integers `(batch, height, width)`, train
            ids, 255 where a pixel is not counted. Batches may differ in number and size of their images.
        class_names: what the classes are called, by train id. None means the 19 names of Cityscapes for 19 classes,
            and else "class 0", "class 1" and so on.

    Returns:
        An `EvaluationReport`: `mean_iou`, `iou` of each class, `confusion`, `pixel_accuracy`; `print` it for a table.

    Raises:
        TypeError: if `model` is no built functional model, or the labels are not integers.
        ValueError: if the output is no map of logits, its size differs from the labels', the number of names from
            that of the classes, a label is beyond the classes, or there is nothing to count.

    Example:

    ```python
    report = keras_hrnet.evaluate(model, cityscapes("data/cityscapes", "val"))
    print(report)
    ```
    """
    check_model(model)
    class_names = _class_names(model, class_names)
    _check_end(dataset)
    labeler = labels_model(model)
    confusion = np.zeros((len(class_names), len(class_names)), dtype=np.int64)
    num_images, seconds = 0, []
    for batch in dataset:
        images, truth = _images_and_labels(batch)
        images = images_for(model, images)
        start = time.perf_counter()
        prediction = labeler.predict_on_batch(images)
        seconds.append((time.perf_counter() - start) / len(images))
        check_size(model, prediction, image_size(model, images))
        _check_same_size(image_size(model, images), truth)
        confusion += confusion_matrix(truth, prediction, len(class_names))
        num_images += len(images)
    _check_counted(num_images, confusion)
    return EvaluationReport(confusion, class_names, num_images, float(np.median(seconds)))


def _class_names(model, class_names):
    if gives_labels(model):
        if class_names is None:
            raise ValueError(
                f"Received the model {model.name!r}, which gives labels, without class_names. Expected the names of "
                "its classes: labels do not say how many there are. Pass class_names, or the model that gives logits."
            )
        return tuple(class_names)
    count = num_classes(model)
    check_num_classes(count)
    if class_names is None:
        return CLASS_NAMES if count == len(CLASS_NAMES) else tuple(f"class {i}" for i in range(count))
    if len(class_names) != count:
        raise ValueError(
            f"Received {len(class_names)} class_names for the model {model.name!r} with {count} classes. Expected one "
            f"name a class. Pass {count} names, or build the model with num_classes={len(class_names)}."
        )
    return tuple(class_names)


def _check_end(dataset):
    # tf.data says -1 of a dataset that repeats for ever (tf.data.INFINITE_CARDINALITY).
    cardinality = getattr(dataset, "cardinality", None)
    if cardinality is not None and int(cardinality()) == -1:
        raise ValueError(
            "Received a dataset that never ends. Expected one pass over the images. Leave out its `.repeat()`, or "
            "take a number of batches: `dataset.take(100)`."
        )


def _images_and_labels(batch):
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        parts = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else f"type {type(batch).__name__}"
        raise ValueError(
            f"Received a batch of {parts}. Expected a pair (images, labels). Map the dataset to such pairs."
        )
    images, labels = (np.asarray(part) for part in batch)
    if labels.ndim != 3 or len(labels) != len(images):
        raise ValueError(
            f"Received labels of shape {labels.shape} for images of shape {images.shape}. Expected labels (batch, "
            "height, width). Batch both, and drop the labels' axis of length one."
        )
    return images, labels


def _check_same_size(size, labels):
    if labels.shape[1:] != tuple(size):
        raise ValueError(
            f"Received labels of size {labels.shape[1:]} for images of size {tuple(size)}. Expected one size. Score at "
            "the size of the labels: resize the images, never the labels."
        )


def _check_counted(num_images, confusion):
    if num_images == 0:
        raise ValueError("Received an empty dataset. Expected at least one batch. Check the folder and the split.")
    if confusion.sum() == 0:
        raise ValueError(
            f"Received {num_images} images whose labels are all {IGNORE_LABEL}. Expected pixels to count. Use a split "
            "with public labels: those of Cityscapes' test images are not."
        )
