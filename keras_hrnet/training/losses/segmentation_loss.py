"""The base class of segmentation losses: checks labels and logits, and leaves out ignored pixels."""

import math
import re
from typing import Any

import keras

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.distributed.replicas import mean_over_replicas, num_replicas
from keras_hrnet.layers.data_format import standardize_data_format


class SegmentationLoss(keras.losses.Loss):
    """A loss of a batch of label images and the logits of their pixels, computed in float32.

    A subclass defines `of_pixels`, and its docstring describes only its own additions. Wrong shapes and dtypes are
    refused when the loss is first traced, before any step. The values of labels are not known at that time. If a label
    is not a class, the loss is NaN, which `keras.callbacks.TerminateOnNaN` detects, and its pixel has no gradient;
    `keras_hrnet.data` can check the files.

    If several replicas share a batch (see `keras_hrnet.training.distributed`), each of them returns the mean of their
    losses; the gradient is that of the replica's own part of the batch.

    Args:
        ignore_label: the label of ignored pixels.
        data_format: format of the logits: "channels_last", "channels_first", or None for Keras's setting.
        name: the name of the loss; None for the name of its class in snake case, such as "cross_entropy".

    Call arguments:
        y_true: integers `(batch, height, width)`, or `(batch, height, width, 1)`: train ids.
        y_pred: float `(batch, height, width, classes)`, or channels first: logits.

    Returns:
        A float32 scalar.

    Raises:
        TypeError: if the labels or `ignore_label` are not integers.
        ValueError: if the labels or the logits have another shape, or a `sample_weight` is given.
    """

    def __init__(self, ignore_label: int = IGNORE_LABEL, data_format: str | None = None, name: str | None = None):
        # Unlike Keras's default, which numbers the losses of a class: "cross_entropy_1".
        super().__init__(name=name or re.sub(r"\B([A-Z])", r"_\1", type(self).__name__).lower(), dtype="float32")
        remedy = "Pass the label of ignored pixels; where none is ignored, a label that no pixel has."
        self.ignore_label = self.checked_integer("ignore_label", ignore_label, f"such as {IGNORE_LABEL}. {remedy}")
        self.data_format = standardize_data_format(data_format)

    def checked_integer(self, name: str, value: Any, remedy: str, least: float = -math.inf) -> int:
        """Returns an argument as an integer.

        Raises:
            TypeError: if it is not an integer.
            ValueError: if it is less than `least`.
        """
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"`{type(self).__name__}` received {name}={value!r}. Expected an integer, {remedy}")
        if value < least:
            raise ValueError(f"`{type(self).__name__}` received {name}={value}. Expected at least {least}, {remedy}")
        return int(value)

    def __call__(
        self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor, sample_weight: None = None
    ) -> keras.KerasTensor:
        # This is checked here and not in `call`, because Keras converts the labels to floats before it.
        if sample_weight is not None:
            raise ValueError(
                f"`{type(self).__name__}` received a sample_weight (`fit` makes one of `class_weight`, too). "
                "Expected only images and labels. Pass class_weights to `CrossEntropy` or `OhemCrossEntropy`, and "
                f"give ignored pixels the label {self.ignore_label}."
            )
        y_true = y_true if hasattr(y_true, "dtype") else keras.ops.convert_to_tensor(y_true)
        dtype = keras.backend.standardize_dtype(y_true.dtype)
        if "float" in dtype:
            raise TypeError(
                f"`{type(self).__name__}` received labels of dtype {dtype}. Expected integers, the train ids of "
                "pixels. Convert them, for example with `.astype('uint8')`."
            )
        return super().__call__(y_true, y_pred)

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        ops = keras.ops
        logits = y_pred if self.data_format == "channels_last" else ops.transpose(y_pred, (0, 2, 3, 1))
        labels = y_true if len(y_true.shape) != 4 or y_true.shape[-1] != 1 else ops.squeeze(y_true, -1)
        self._check_shapes(tuple(labels.shape), tuple(logits.shape))
        labels = ops.cast(labels, "int32")
        counts = ops.not_equal(labels, self.ignore_label)
        is_class = ops.logical_and(labels >= 0, labels < ops.shape(logits)[-1])
        unknown = ops.any(ops.logical_and(counts, ops.logical_not(is_class)))
        counts = ops.logical_and(counts, is_class)
        loss = self.of_pixels(ops.where(counts, labels, 0), counts, logits)
        loss += ops.where(unknown, float("nan"), 0.0)
        return of_all_replicas(loss)

    def of_pixels(
        self, labels: keras.KerasTensor, counts: keras.KerasTensor, logits: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Computes the loss of the pixels that are not ignored, a float32 scalar.

        Args:
            labels: int32 `(batch, height, width)`, classes; 0 where a pixel is ignored.
            counts: bool `(batch, height, width)`: whether a pixel is not ignored.
            logits: float32 `(batch, height, width, classes)`.
        """
        raise NotImplementedError

    def check_num_classes(self, num_classes: int | None) -> None:
        """Refuses logits with a number of classes that the loss does not support; None if it is not known."""

    def _check_shapes(self, labels, logits):
        name = type(self).__name__
        if len(labels) != 3:
            raise ValueError(
                f"`{name}` received labels of shape {labels}. Expected (batch, height, width), one integer for each "
                "pixel. Take the classes of one-hot labels with `argmax`."
            )
        if len(logits) != 4:
            raise ValueError(
                f"`{name}` received logits of rank {len(logits)}. Expected rank 4, a vector of logits for each pixel. "
                "Build the model with a head for segmentation."
            )
        if any(a != b for a, b in zip(labels, logits[:3], strict=True) if None not in (a, b)):
            raise ValueError(
                f"`{name}` received labels of (batch, height, width) {labels} and logits of {logits[:3]} with "
                f"data_format={self.data_format!r}. Expected the same size. Build the model with "
                "output_stride=1, crop images and labels alike, and give model and loss the same data_format."
            )
        self.check_num_classes(logits[-1])

    def get_config(self) -> dict[str, Any]:
        return {"ignore_label": self.ignore_label, "data_format": self.data_format, "name": self.name}


def of_all_replicas(loss: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the loss of a batch, of shape (1,), from the loss of this replica's part of it, a scalar.

    The value is the mean over all replicas, and the gradient is the replica's own; the optimizer combines gradients.
    """
    ops = keras.ops
    if num_replicas() > 1:
        own = ops.stop_gradient(loss)
        loss = mean_over_replicas(own) + (loss - own)
    # Keras divides a loss of this shape by the number of replicas; it does not divide a scalar.
    return ops.reshape(loss, (1,))


def mean_over_pixels(maps: keras.KerasTensor) -> keras.KerasTensor:
    """Averages `(batch, height, width)`: first within each row, then over the rows.

    On a CPU, XLA sums a few thousand numbers one after the other, with an error of 3e-6 if class weights repeat. If
    rows are averaged first, the error is 2e-7. XLA would merge a sum of sums, but does not merge a mean of means.
    """
    return keras.ops.mean(keras.ops.mean(maps, axis=-1))
