"""Cross-entropy of pixels, with class weights as PyTorch applies them."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.distributed.replicas import mean_over_replicas
from keras_hrnet.training.losses.pixel_cross_entropy import pixel_cross_entropy
from keras_hrnet.training.losses.segmentation_loss import SegmentationLoss, mean_over_pixels


class WeightedSegmentationLoss(SegmentationLoss):
    """A loss in which the cross-entropy of a pixel is multiplied by the weight of its class.

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

    def pixel_losses(self, labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        """Computes -log p of the true class of each pixel, p by softmax: float32 `(batch, height, width)`."""
        return pixel_cross_entropy(labels, logits)

    def pixel_weights(self, labels: keras.KerasTensor, counts: keras.KerasTensor) -> keras.KerasTensor:
        """Returns the weight of each pixel's class, or 0 if the pixel is ignored: float32 `(batch, height, width)`."""
        weights = keras.ops.cast(counts, "float32")
        if self.class_weights is None:
            return weights
        return weights * keras.ops.take(keras.ops.convert_to_tensor(self.class_weights, "float32"), labels)

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


@keras.saving.register_keras_serializable(package="keras_hrnet")
class CrossEntropy(WeightedSegmentationLoss):
    """The weighted mean of the cross-entropy over the pixels, as `torch.nn.CrossEntropyLoss` computes it.

    With l = -log p of the true class y of a pixel, it is Σ w[y] l / Σ w[y], over the pixels of all images together. If
    all pixels are ignored, it is 0, without a gradient. `keras.losses.SparseCategoricalCrossentropy(ignore_class=255)`
    divides by the number of all pixels instead, including ignored ones, and has no class weights.

    Args:
        class_weights: see `WeightedSegmentationLoss`; `keras_hrnet.data.CLASS_WEIGHTS` are the published weights for
            Cityscapes.
        ignore_label, data_format, name: see `SegmentationLoss`.

    Reference: torch.nn.CrossEntropyLoss with `weight` and `ignore_index`, as HRNet-Semantic-Segmentation,
    lib/core/criterion.py, uses it.

    Example:

    >>> import numpy as np
    >>> from keras_hrnet.training import CrossEntropy
    >>> labels = np.array([[[0, 1, 255]]], "uint8")
    >>> logits = np.log(np.array([[[[0.5, 0.5], [0.75, 0.25], [0.1, 0.9]]]], "float32"))
    >>> float(CrossEntropy(class_weights=[1, 2])(labels, logits))  # (log 2 + 2 log 4) / 3
    1.155...
    """

    def of_pixels(
        self, labels: keras.KerasTensor, counts: keras.KerasTensor, logits: keras.KerasTensor
    ) -> keras.KerasTensor:
        weights = self.pixel_weights(labels, counts)
        weighted = weights * self.pixel_losses(labels, logits)
        # Each replica divides by the mean weight of all replicas; the mean of their losses is then that of the batch.
        return keras.ops.divide_no_nan(mean_over_pixels(weighted), mean_over_replicas(mean_over_pixels(weights)))
