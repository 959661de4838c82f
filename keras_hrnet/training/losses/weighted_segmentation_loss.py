"""The base class of losses that weight pixels by class, as PyTorch applies class weights."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.distributed.replicas import mean_over_replicas
from keras_hrnet.training.losses.segmentation_loss import SegmentationLoss, mean_over_pixels


class WeightedSegmentationLoss(SegmentationLoss):
    """A loss in which each pixel has the weight of its labeled class.

    Args:
        class_weights: a number of at least 0 for each class; None weights all classes equally.
        ignore_label, data_format, name: see `SegmentationLoss`.

    Raises:
        TypeError: if the weights are not numbers.
        ValueError: if a weight is negative or not finite, all weights are 0, or, when the loss is first traced, their
            number differs from the number of classes.
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        ignore_label: int = IGNORE_LABEL,
        data_format: str | None = None,
        name: str | None = None,
    ):
        super().__init__(ignore_label, data_format, name)
        self.class_weights = self._checked_weights(class_weights)

    def pixel_weights(self, labels: keras.KerasTensor, counts: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the weight of each pixel's class, or 0 if the pixel is ignored: float32 `(batch, height, width)`."""
        weights = keras.ops.cast(counts, "float32")
        if self.class_weights is None:
            return weights
        return weights * keras.ops.take(keras.ops.convert_to_tensor(self.class_weights, "float32"), labels)

    def weighted_mean(
        self, values: keras.KerasTensor, labels: keras.KerasTensor, counts: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Computes the mean of values of pixels by `pixel_weights`, a float32 scalar; 0 if all weights are 0."""
        weights = self.pixel_weights(labels, counts)
        # Each replica divides by the mean weight of all replicas; the mean of their losses is then that of the batch.
        mean_weight = mean_over_replicas(mean_over_pixels(weights))
        return keras.ops.divide_no_nan(mean_over_pixels(weights * values), mean_weight)

    def check_num_classes(self, num_classes: int | None) -> None:
        if self.class_weights is not None and num_classes not in (None, len(self.class_weights)):
            raise ValueError(
                f"`{type(self).__name__}` received {len(self.class_weights)} class_weights, and logits of "
                f"{num_classes} classes. Expected one weight for each class. Pass {num_classes} weights, and check "
                "num_classes of the model and the data_format of the loss."
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "class_weights": self.class_weights}

    def _checked_weights(self, class_weights):
        if class_weights is None:
            return None
        name = type(self).__name__
        try:
            weights = np.asarray(class_weights, "float64")
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"`{name}` received class_weights={class_weights!r}. Expected a number for each class, in the order of "
                "the train ids. Pass a list of numbers."
            ) from error
        if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ValueError(
                f"`{name}` received class_weights={class_weights}. Expected a finite number of at least 0 for each "
                "class, and at least one number above 0. Correct them, or leave them out for equal weights."
            )
        return tuple(weights.tolist())
