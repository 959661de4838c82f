"""Keras's own loss and metric for logits whose classes come second: Keras's `axis=1` fails in both.

TensorFlow's cross-entropy takes the last axis alone, and the mean IoU also sums its one-dimensional result over it.
"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ChannelsFirstCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """Computes the cross-entropy of each pixel. Its arguments are those of the class that it extends, except `axis`.

    Call arguments:
        y_true: integer `(batch, height, width)`, train ids.
        y_pred: float `(batch, num_classes, height, width)`, logits or probabilities.
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        return super().call(y_true, keras.ops.moveaxis(y_pred, 1, -1))


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ChannelsFirstMeanIoU(keras.metrics.MeanIoU):
    """Computes the mean intersection over union of the classes, from what `ChannelsFirstCrossentropy` takes."""

    def update_state(
        self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor, sample_weight: keras.KerasTensor | None = None
    ) -> Any:
        return super().update_state(y_true, keras.ops.moveaxis(y_pred, 1, -1), sample_weight)
