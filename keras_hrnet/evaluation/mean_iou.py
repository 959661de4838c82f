"""The mean intersection over union as a metric of `fit`, counted exactly on the device of the network."""

from typing import Any, Literal

import keras
import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.distributed.replicas import sum_over_replicas
from keras_hrnet.evaluation.confusion import check_num_classes, intersection_over_union
from keras_hrnet.layers.labels import argmax

# Counts are kept as two words of 30 bits: JAX has no int64, and the sum of a word and a batch must fit into int32.
WORD = 2**30
# On PyTorch, `keras.ops.segment_sum` adds in float32, which is exact only up to this number.
MOST_PIXELS_OF_AN_IMAGE = 2**24


@keras.saving.register_keras_serializable(package="keras_hrnet")
class MeanIoU(keras.metrics.Metric):
    """Counts the pixels of each pair of true and predicted class, and returns the mean intersection over union.

    The result equals `EvaluationReport.mean_iou` for the same pixels: the pixels of all images are counted together,
    and the mean is over the classes that occur in the truth or the prediction. It is NaN until a pixel has been
    counted. It is also NaN if a label was not a class, because compiled code cannot raise errors, and a score of the
    other pixels would be misleading; `confusion` then raises an error that explains the problem.

    Counts are exact up to 2**60 pixels on every backend (`keras.metrics.MeanIoU` loses pixels beyond 2**24).

    Args:
        num_classes: the train ids are 0 to `num_classes - 1`; at most 255.
        ignore_label: the label of pixels that are not counted.
        data_format: position of the logits' channels, "channels_last" or "channels_first". None means Keras's setting.
        name: name of the metric in logs.
        dtype: dtype of the result.

    Raises:
        ValueError: if `num_classes`, `ignore_label` or `data_format` is invalid.

    Call arguments:
        y_true: integers `(batch, height, width)`, train ids.
        y_pred: logits `(batch, height, width, num_classes)`, or channels first.

    Example:

    ```python
    model.compile("adam", loss, metrics=[keras_hrnet.evaluation.MeanIoU(num_classes=19)])
    ```
    """

    def __init__(
        self,
        num_classes: int,
        ignore_label: int = IGNORE_LABEL,
        data_format: Literal["channels_last", "channels_first"] | None = None,
        name: str = "mean_iou",
        dtype: Any = None,
    ) -> None:
        check_num_classes(num_classes)
        _check_ignore_label(ignore_label, num_classes)
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.data_format = keras.config.image_data_format() if data_format is None else data_format
        _check_data_format(self.data_format)
        self.channel_axis = 3 if self.data_format == "channels_last" else 1
        # One cell for each pair, and one for labels that are not classes. TensorFlow keeps "int" variables on a GPU.
        self.num_cells = num_classes**2 + 1
        # Each replica counts the pixels of all replicas, so that reading needs no sum.
        options = {"dtype": "int", "aggregation": "only_first_replica"}
        self.low = self.add_variable((self.num_cells,), "zeros", name="low", **options)
        self.high = self.add_variable((self.num_cells,), "zeros", name="high", **options)

    def update_state(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor, sample_weight: None = None) -> None:
        if sample_weight is not None:
            raise ValueError(
                f"`{self.name}` received sample weights. Expected none, because it counts whole pixels. Pass it in "
                f"`metrics` and not in `weighted_metrics`, and give pixels to ignore the label {self.ignore_label}."
            )
        truth, logits = keras.ops.convert_to_tensor(y_true), keras.ops.convert_to_tensor(y_pred)
        self._check_labels_and_logits(truth, logits)
        counts = sum_over_replicas(self._count(truth, logits))
        total = self.low + keras.ops.cast(counts, self.low.dtype)
        self.low.assign(total % WORD)
        self.high.assign(self.high + total // WORD)

    def _check_labels_and_logits(self, truth, logits):
        axis = self.channel_axis
        if len(logits.shape) != 4 or logits.shape[axis] != self.num_classes:
            raise ValueError(
                f"`{self.name}` received logits of shape {tuple(logits.shape)}. Expected four axes, and "
                f"{self.num_classes} classes on axis {axis}, as data_format is {self.data_format!r}. Build it with the "
                "model's num_classes and data_format."
            )
        if "int" not in keras.utils.standardize_dtype(truth.dtype):
            raise TypeError(
                f"`{self.name}` received labels of dtype {keras.utils.standardize_dtype(truth.dtype)}. Expected "
                "integers, the train ids of pixels. Convert them with `.astype('uint8')`."
            )
        size = tuple(logits.shape[:axis]) + tuple(logits.shape[axis + 1 :])
        if len(truth.shape) != 3 or _differ(truth.shape, size):
            raise ValueError(
                f"`{self.name}` received labels of shape {tuple(truth.shape)} for logits of shape "
                f"{tuple(logits.shape)}. Expected labels {size}. Remove axes of length one, and use a model whose "
                "logits have the size of the labels."
            )
        if None not in size[1:] and size[1] * size[2] > MOST_PIXELS_OF_AN_IMAGE:
            raise ValueError(
                f"`{self.name}` received an image of {size[1]} x {size[2]} pixels. Expected at most "
                f"{MOST_PIXELS_OF_AN_IMAGE}, which it can count exactly. Score such images with keras_hrnet.evaluate."
            )

    def _count(self, truth, logits):
        truth = keras.ops.cast(truth, "int32")
        prediction = argmax(logits, self.channel_axis)
        is_class = (truth >= 0) & (truth < self.num_classes)
        cell = keras.ops.where(is_class, truth * self.num_classes + prediction, self.num_cells - 1)
        is_counted = keras.ops.cast(truth != self.ignore_label, "int32")
        # Each image is counted separately: see MOST_PIXELS_OF_AN_IMAGE.
        num_images = keras.ops.shape(truth)[0]
        cell += self.num_cells * keras.ops.arange(num_images, dtype="int32")[:, None, None]
        counts = keras.ops.segment_sum(
            keras.ops.reshape(is_counted, (-1,)),
            keras.ops.reshape(cell, (-1,)),
            num_segments=num_images * self.num_cells,
        )
        return keras.ops.sum(keras.ops.reshape(counts, (-1, self.num_cells)), axis=0)

    def result(self) -> keras.KerasTensor:
        counts = keras.ops.cast(self.high, "float32") * WORD + keras.ops.cast(self.low, "float32")
        confusion = keras.ops.reshape(counts[:-1], (self.num_classes, self.num_classes))
        intersection = keras.ops.diagonal(confusion)
        union = keras.ops.sum(confusion, axis=0) + keras.ops.sum(confusion, axis=1) - intersection
        num_present = keras.ops.sum(keras.ops.cast(union > 0, "float32"))
        iou = intersection / keras.ops.maximum(union, 1.0)
        # If nothing was counted, or a label was not a class, the result is 0 / 0, which is NaN.
        is_known = keras.ops.cast(counts[-1] == 0, "float32")
        return keras.ops.cast(keras.ops.sum(iou) * is_known / (num_present * is_known), self.dtype)

    def confusion(self) -> np.ndarray:
        """Returns the counts since the last reset; after an epoch of `fit`, these are the pixels of the validation set.

        Returns:
            int64 `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction.

        Raises:
            ValueError: if a label was not a class.
        """
        low, high = (keras.ops.convert_to_numpy(word).astype(np.int64) for word in (self.low, self.high))
        *counts, num_strange = high * WORD + low
        if num_strange:
            raise ValueError(
                f"`{self.name}` received {num_strange} pixels whose labels are not among its {self.num_classes} "
                f"classes. Expected 0 to {self.num_classes - 1}, or {self.ignore_label} where a pixel is ignored. "
                "Map the label ids of the files to train ids."
            )
        return np.array(counts, dtype=np.int64).reshape(self.num_classes, self.num_classes)

    def iou(self) -> np.ndarray:
        """Returns the intersection over union of each class: float64 `(num_classes,)`, NaN where it is absent.

        Raises:
            ValueError: if a label was not a class.
        """
        return intersection_over_union(self.confusion())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_label": self.ignore_label,
            "data_format": self.data_format,
        }


def _differ(shape, other):
    return any(None not in pair and pair[0] != pair[1] for pair in zip(shape, other, strict=True))


def _check_ignore_label(ignore_label, num_classes):
    if 0 <= ignore_label < num_classes:
        raise ValueError(
            f"Received ignore_label={ignore_label} for {num_classes} classes. Expected a number that is not a class. "
            f"Pass {IGNORE_LABEL}, and mark the pixels to ignore with it."
        )


def _check_data_format(data_format):
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"Received data_format={data_format!r}. Expected 'channels_last' or 'channels_first'. Pass the model's."
        )
