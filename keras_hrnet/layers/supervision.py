"""Further logits that are trained on the same labels: where they are in the graph of a network."""

import keras


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Supervision(keras.layers.Layer):
    """Passes the first of several tensors on, and says how much the loss of each of the others counts.

    It keeps the layers that lead to the others in the graph of a model, and with them their weights.
    `keras_hrnet.models.SupervisedModel` trains them; any other model ignores them.

    Args:
        loss_weights: for each tensor after the first, what its loss is multiplied by. Zero means that it is not
            trained: only the weights that lead to it are kept.

    Call arguments:
        inputs: a list of one tensor more than there are weights.

    Returns:
        The first tensor.

    Raises:
        ValueError: if a weight is negative, or their number does not fit the inputs.
    """

    def __init__(self, loss_weights, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.loss_weights = tuple(float(weight) for weight in loss_weights)
        if any(weight < 0 for weight in self.loss_weights):
            raise ValueError(
                f"`Supervision` received loss_weights={loss_weights}. Expected numbers of at least 0. "
                "Correct the negative one."
            )

    def build(self, input_shape):
        if len(input_shape) != len(self.loss_weights) + 1:
            raise ValueError(
                f"`Supervision` received {len(input_shape)} tensors. Expected {len(self.loss_weights) + 1}: one, and "
                f"one for each of loss_weights={self.loss_weights}. Give a weight for each further tensor."
            )

    def call(self, inputs):
        return inputs[0]

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "loss_weights": self.loss_weights}
