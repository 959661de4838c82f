"""Losses of how little predicted and true regions overlap, class by class: Lovász-Softmax and Dice."""

import keras

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.training.losses.segmentation_loss import SegmentationLoss


class OverlapLoss(SegmentationLoss):
    """The mean of a loss of each class over the classes that the labels of the batch have; 0 where they have none.

    The pixels of all images are taken together. Where several replicas compute a batch, each takes those of its part.

    Args:
        ignore_label: as `SegmentationLoss`.
        data_format: as `SegmentationLoss`.
        name: what the loss is called.
    """

    def of_classes(self, truth: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        """Computes the loss of each class, float32 `(classes,)`.

        Args:
            truth: float32 `(classes, pixels)`: 1 where a pixel is of the class; 0 everywhere in ignored pixels.
            probabilities: float32 `(classes, pixels)`; 0 everywhere in ignored pixels.
        """
        raise NotImplementedError

    def of_pixels(
        self, labels: keras.KerasTensor, counts: keras.KerasTensor, logits: keras.KerasTensor
    ) -> keras.KerasTensor:
        ops = keras.ops
        num_classes = logits.shape[-1]
        counted = ops.cast(ops.reshape(counts, (1, -1)), "float32")
        classes = ops.expand_dims(ops.arange(num_classes, dtype="int32"), -1)
        truth = ops.cast(ops.equal(ops.reshape(labels, (1, -1)), classes), "float32") * counted
        probabilities = ops.transpose(ops.reshape(ops.softmax(logits, axis=-1), (-1, num_classes))) * counted
        occurs = ops.cast(ops.sum(truth, axis=-1) > 0, "float32")
        return ops.divide_no_nan(ops.sum(occurs * self.of_classes(truth, probabilities)), ops.sum(occurs))


@keras.saving.register_keras_serializable(package="keras_hrnet")
class LovaszSoftmax(OverlapLoss):
    """The Lovász extension of one minus the IoU of each class, over the errors |truth - probability| of the pixels.

    With the errors of a class in falling order, it is Σ error[i] (Δ[i] - Δ[i - 1]), where Δ[i] is one minus the IoU of
    a prediction that is wrong in the first i pixels. It is the mean over the classes that the batch has, of all of its
    pixels that count together: "batch" and "present" in the published code. Here, as there, sorting takes time: for
    each class, all pixels.

    Args:
        ignore_label: the label of pixels that do not count.
        data_format: where the channels of the logits are: "channels_last", "channels_first", or None for Keras's
            setting.
        name: what the loss is called.

    Call arguments:
        y_true: integers `(batch, height, width)`, or `(batch, height, width, 1)`: train ids.
        y_pred: float `(batch, height, width, classes)`, or channels first: logits.

    Returns:
        A float32 scalar in [0, 1].

    Raises:
        TypeError: if the labels are not integers.
        ValueError: if labels or logits have another shape, or a `sample_weight` is given.

    Reference: Berman, Rannen Triki and Blaschko, "The Lovász-Softmax loss", 2018; github.com/bermanmaxim/LovaszSoftmax,
    pytorch/lovasz_losses.py, `lovasz_softmax`.
    """

    def __init__(self, ignore_label: int = IGNORE_LABEL, data_format: str | None = None, name: str = "lovasz_softmax"):
        super().__init__(ignore_label, data_format, name)

    def of_classes(self, truth: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        ops = keras.ops
        errors = ops.abs(truth - probabilities)
        # Ignored pixels have no error and come last, where they change nothing.
        order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
        errors = ops.take_along_axis(errors, order, axis=-1)
        truth = ops.take_along_axis(truth, order, axis=-1)
        missed, added = ops.cumsum(truth, axis=-1), ops.cumsum(1 - truth, axis=-1)
        total = missed[:, -1:]
        left, union = total - missed, ops.maximum(total + added, 1.0)
        # What one pixel more adds to 1 - left / union; unlike a difference of two such numbers, to all digits.
        steps = ops.where(truth > 0, 1 / union, left / union / ops.maximum(union - 1, 1.0))
        return ops.sum(errors * ops.stop_gradient(steps), axis=-1)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Dice(OverlapLoss):
    """One minus the Dice coefficient of each class, 2 Σ p y / (Σ p + Σ y), with probabilities p and truth y.

    It is the mean over the classes that the batch has, of all of its pixels that count together. As these classes have
    a pixel, nothing is added to the sums to smooth them.

    Args:
        ignore_label: the label of pixels that do not count.
        data_format: where the channels of the logits are: "channels_last", "channels_first", or None for Keras's
            setting.
        name: what the loss is called.

    Call arguments:
        y_true: integers `(batch, height, width)`, or `(batch, height, width, 1)`: train ids.
        y_pred: float `(batch, height, width, classes)`, or channels first: logits.

    Returns:
        A float32 scalar in [0, 1].

    Raises:
        TypeError: if the labels are not integers.
        ValueError: if labels or logits have another shape, or a `sample_weight` is given.

    Reference: Milletari, Navab and Ahmadi, "V-Net", 2016, section 3. Unlike there, the sums below are not of squares.
    """

    def __init__(self, ignore_label: int = IGNORE_LABEL, data_format: str | None = None, name: str = "dice"):
        super().__init__(ignore_label, data_format, name)

    def of_classes(self, truth: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        ops = keras.ops
        both = ops.sum(truth * probabilities, axis=-1)
        sums = ops.sum(truth, axis=-1) + ops.sum(probabilities, axis=-1)
        return 1 - ops.divide_no_nan(2 * both, sums)
