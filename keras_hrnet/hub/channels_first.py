"""Keras's cross-entropy and mean IoU for channels-first logits, because `axis=1` fails in both classes of Keras.

TensorFlow's cross-entropy supports only the last axis, and the mean IoU also uses `axis` to sum a one-dimensional
result.
"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ChannelsFirstCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """Computes the cross-entropy of each pixel. The arguments are those of its base class, except for `axis`.

    Call arguments:
        y_true: integer `(batch, height, width)`, train ids.
        y_pred: float `(batch, num_classes, height, width)`, logits or probabilities.
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        return super().call(y_true, keras.ops.moveaxis(y_pred, 1, -1))


@keras.saving.register_keras_serializable(package="keras_hrnet")
class ChannelsFirstMeanIoU(keras.metrics.MeanIoU):
    """Computes the mean intersection over union, from the same inputs as `ChannelsFirstCrossentropy`."""

    def update_state(
        self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor, sample_weight: keras.KerasTensor | None = None
    ) -> Any:
        return super().update_state(y_true, keras.ops.moveaxis(y_pred, 1, -1), sample_weight)
