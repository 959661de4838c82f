"""Cross-entropy of the pixels that a network finds hard: online hard example mining."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.training.losses.cross_entropy import CrossEntropy
from keras_hrnet.training.losses.pixel_cross_entropy import pixel_cross_entropy
from keras_hrnet.training.losses.segmentation_loss import mean_over_pixels
from keras_hrnet.training.losses.weighted_segmentation_loss import WeightedSegmentationLoss


@keras.saving.register_keras_serializable(package="keras_hrnet")
class OhemCrossEntropy(WeightedSegmentationLoss):
    """The mean cross-entropy of the pixels whose true class has a low probability.

    It keeps the pixels whose true class has a probability below `threshold`. If there are fewer than `min_kept` of
    these, the threshold is raised until `min_kept` pixels are below it. The loss is Σ w[y] l / (number of kept pixels);
    as published, it is not divided by the weights. If no pixel is kept, it is 0, without a gradient.

    Args:
        threshold: probability below which a pixel is hard, in (0, 1].
        min_kept: minimum number of pixels to keep in a batch, if there are that many pixels that are not ignored. Here,
            a batch is the part that one process, or one device under a TensorFlow strategy, computes; on JAX, it is the
            batch of all devices. The published number is for three crops of 512x1024 on each GPU.
        class_weights: see `WeightedSegmentationLoss`.
        ignore_label, data_format, name: see `SegmentationLoss`.

    Raises:
        TypeError: if `min_kept` is not an integer.
        ValueError: if a number is out of range.

    Reference: Shrivastava et al., "Training Region-based Object Detectors with Online Hard Example Mining", 2016, as
    HRNet-Semantic-Segmentation, lib/core/criterion.py (branch HRNet-OCR), applies it to pixels; `OHEMTHRES` and
    `OHEMKEEP` of its Cityscapes experiments.
    """

    def __init__(
        self,
        threshold: float = 0.9,
        min_kept: int = 131072,
        class_weights: Sequence[float] | None = None,
        ignore_label: int = IGNORE_LABEL,
        data_format: str | None = None,
        name: str | None = None,
    ):
        super().__init__(class_weights, ignore_label, data_format, name)
        if not 0 < threshold <= 1:
            raise ValueError(
                f"`OhemCrossEntropy` received threshold={threshold}. Expected a probability above 0 and at most 1. "
                "Pass 0.9."
            )
        self.threshold = float(threshold)
        self.min_kept = self.checked_integer("min_kept", min_kept, "a number of pixels in a batch. Pass 131072.", 1)

    @property
    def auxiliary(self) -> CrossEntropy:
        """The loss that is used for the auxiliary logits of a model instead: `CrossEntropy`, with the same weights."""
        # Unlike the published code, which here divides by the number of all pixels, including ignored ones. This is the
        # weighted mean, as in the published code without mining.
        return CrossEntropy(self.class_weights, self.ignore_label, self.data_format)

    def of_pixels(
        self, labels: keras.KerasTensor, counts: keras.KerasTensor, logits: keras.KerasTensor
    ) -> keras.KerasTensor:
        ops = keras.ops
        losses = pixel_cross_entropy(labels, logits)
        kept = ops.cast(self._is_kept(ops.stop_gradient(losses), counts), "float32")
        weighted = kept * self.pixel_weights(labels, counts) * losses
        return ops.divide_no_nan(mean_over_pixels(weighted), mean_over_pixels(kept))

    def _is_kept(self, losses, counts):
        ops = keras.ops
        # A probability of 2 sorts ignored pixels after all others, so that no shape depends on the labels.
        probabilities = ops.where(counts, ops.exp(-losses), 2.0)
        index = ops.minimum(self.min_kept, ops.sum(ops.cast(counts, "int32")) - 1)
        hardest = ops.take(ops.sort(ops.reshape(probabilities, (-1,))), ops.maximum(index, 0))
        return ops.logical_and(counts, probabilities < ops.maximum(hardest, self.threshold))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold, "min_kept": self.min_kept}
