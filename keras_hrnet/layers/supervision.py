"""Marks the auxiliary logits of a network, which are trained on the same labels as its output."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_hrnet.layers.data_format import Shape


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Supervision(keras.layers.Layer):
    """Returns the first of several tensors, and stores the weight of the auxiliary loss of each of the others.

    The layer keeps the other tensors, and the layers before them, in the graph of a model.
    `keras_hrnet.models.SupervisedModel` trains them; any other model ignores them.

    Args:
        loss_weights: for each tensor after the first, the factor of its loss. Zero means that the tensor is not
            trained, and that the layers before it are only kept.

    Call arguments:
        inputs: a list of tensors, one more than the number of weights.

    Returns:
        The first tensor.

    Raises:
        ValueError: if a weight is negative, or if their number does not match the inputs.
    """

    def __init__(self, loss_weights: Sequence[float], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.loss_weights = tuple(float(weight) for weight in loss_weights)
        if any(weight < 0 for weight in self.loss_weights):
            raise ValueError(
                f"`Supervision` received loss_weights={loss_weights}. Expected numbers of at least 0. Correct the "
                "negative number."
            )

    def build(self, input_shape: Sequence[Shape]) -> None:
        if len(input_shape) != len(self.loss_weights) + 1:
            raise ValueError(
                f"`Supervision` received {len(input_shape)} tensors. Expected {len(self.loss_weights) + 1}: the "
                f"output, and one for each of loss_weights={self.loss_weights}. Pass a weight for each tensor after "
                "the first."
            )

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        return inputs[0]

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss_weights": self.loss_weights}
