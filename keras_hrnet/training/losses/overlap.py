"""Losses that measure the overlap of predicted and true regions for each class: Lovász-Softmax and Dice."""

import keras

from keras_hrnet.training.losses.segmentation_loss import SegmentationLoss


class OverlapLoss(SegmentationLoss):
    """The mean loss, in [0, 1], over the classes that occur in the labels of the batch; 0 if there are none.

    The pixels of all images in the batch are pooled. If several replicas share a batch, each uses the pixels of its own
    part. A subclass defines `of_classes`.
    """

    def of_classes(self, truth: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        """Computes the loss of each class, float32 `(classes,)`.

        Args:
            truth: float32 `(classes, pixels)`: 1 for pixels of the class, 0 for others and for ignored pixels.
            probabilities: float32 `(classes, pixels)`; 0 for ignored pixels.
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

    With the errors of a class in descending order, it is Σ error[i] (Δ[i] - Δ[i - 1]), where Δ[i] is one minus the IoU
    of a prediction that is wrong in the first i pixels. The published code calls averaging over the classes in the
    batch "present", and pooling the pixels of all images "batch". As in that code, all pixels are sorted for each
    class, which takes time.

    Reference: Berman, Rannen Triki and Blaschko, "The Lovász-Softmax loss", 2018; github.com/bermanmaxim/LovaszSoftmax,
    pytorch/lovasz_losses.py, `lovasz_softmax`.
    """

    def of_classes(self, truth: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        ops = keras.ops
        errors = ops.abs(truth - probabilities)
        # Ignored pixels have no error, so they come last and change nothing.
        order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
        errors = ops.take_along_axis(errors, order, axis=-1)
        truth = ops.take_along_axis(truth, order, axis=-1)
        missed, added = ops.cumsum(truth, axis=-1), ops.cumsum(1 - truth, axis=-1)
        total = missed[:, -1:]
        left, union = total - missed, ops.maximum(total + added, 1.0)
        # The increase of 1 - left / union by one more pixel. The difference of two such numbers would lose digits.
        steps = ops.where(truth > 0, 1 / union, left / union / ops.maximum(union - 1, 1.0))
        return ops.sum(errors * ops.stop_gradient(steps), axis=-1)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Dice(OverlapLoss):
    """One minus the Dice coefficient of each class, 2 Σ p y / (Σ p + Σ y), with probabilities p and truth y.

    It is computed only for the classes in the batch. Each of them has at least one pixel, so the sums need no smoothing
    term.

    Reference: Milletari, Navab and Ahmadi, "V-Net", 2016, section 3. Unlike there, the terms of the denominator are not
    squared.
    """

    def of_classes(self, truth: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        ops = keras.ops
        both = ops.sum(truth * probabilities, axis=-1)
        sums = ops.sum(truth, axis=-1) + ops.sum(probabilities, axis=-1)
        return 1 - ops.divide_no_nan(2 * both, sums)
