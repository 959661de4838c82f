"""The distance of a network's probabilities from those of its teacher, pixel by pixel."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.training.losses.weighted_segmentation_loss import WeightedSegmentationLoss


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Distillation(WeightedSegmentationLoss):
    """The mean divergence KL(teacher ‖ student) over the pixels, with the logits of both divided by a temperature.

    The mean is multiplied by the square of the temperature, so that its gradient keeps its size. Each pixel has the
    weight of its labeled class, so that the teacher does not undo the class weights of the loss for the labels. Ignored
    pixels do not count. The teacher's logits have no gradient.

    Args:
        temperature: divisor of the logits, above 0; values above 1 soften the probabilities.
        ignore_label, data_format, name, class_weights: see `WeightedSegmentationLoss`.

    Call arguments:
        y_true: see `SegmentationLoss`.
        y_pred: float `(batch, height, width, 2 * classes)`, or channels first: the student's logits, and after them the
            teacher's.

    Raises:
        ValueError: if the temperature is not above 0; and see `WeightedSegmentationLoss`.

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network, section 2; pixel-wise as in Liu et al.,
    Structured Knowledge Distillation for Semantic Segmentation, section 3.2.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        ignore_label: int = IGNORE_LABEL,
        data_format: str | None = None,
        name: str | None = None,
        class_weights: Sequence[float] | None = None,
    ):
        super().__init__(class_weights, ignore_label, data_format, name)
        if not temperature > 0:
            raise ValueError(
                f"`Distillation` received temperature={temperature}. Expected a number above 0. Pass 1 for unchanged "
                "probabilities."
            )
        self.temperature = float(temperature)

    def of_pixels(
        self, labels: keras.KerasTensor, counts: keras.KerasTensor, logits: keras.KerasTensor
    ) -> keras.KerasTensor:
        ops = keras.ops
        student, teacher = ops.split(logits / self.temperature, 2, axis=-1)
        known = ops.log_softmax(ops.stop_gradient(teacher), axis=-1)
        divergence = ops.sum(ops.exp(known) * (known - ops.log_softmax(student, axis=-1)), axis=-1)
        return self.temperature**2 * self.weighted_mean(divergence, labels, counts)

    def check_num_classes(self, num_classes: int | None) -> None:
        super().check_num_classes(None if num_classes is None else num_classes // 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}
