"""Cross-entropy of pixels, with class weights as PyTorch applies them."""

import keras

from keras_hrnet.training.losses.pixel_cross_entropy import pixel_cross_entropy
from keras_hrnet.training.losses.weighted_segmentation_loss import WeightedSegmentationLoss


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
        return self.weighted_mean(pixel_cross_entropy(labels, logits), labels, counts)
