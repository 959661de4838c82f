"""The share of a teacher's maps that a network's maps do not determine."""

from typing import Any

import keras

from keras_hrnet.distributed.replicas import mean_over_replicas
from keras_hrnet.training.losses.segmentation_loss import of_all_replicas

# Added to the variances of the student's channels, as a share of their mean, so that least squares have a solution
# where channels depend on each other. This value and the next were chosen here.
RIDGE = 1e-3
# Channels of the teacher with less variance than this share of the mean have a smaller weight.
LEAST_VARIANCE = 1e-3


@keras.saving.register_keras_serializable(package="keras_hrnet")
class FeatureDistillation(keras.losses.Loss):
    """The share of the variance of a teacher's map that no linear function of the student's map explains.

    The channels of both networks differ in number and meaning. For each batch, least squares therefore find the linear
    function of the student's channels that is closest to the teacher's, and the loss is the mean of its squared errors,
    relative to the variance of each of the teacher's channels: 0 if the student's map contains all that the teacher's
    does, and 1 if it contains nothing of it. This requires many more positions in a batch than the student's map has
    channels: for unrelated maps, the loss is about 1 - channels / positions, and with fewer positions than channels it
    is almost 0.

    FitNets train this function with the student; here, nothing is added to the network, the optimizer or the files of a
    run. Only the student's map has a gradient. If several replicas share a batch, the function is that of the
    whole batch.

    Args:
        num_channels: number of channels of the student's map, at least 1.
        name: the name of the loss.

    Call arguments:
        y_true: float `(batch, height, width)`: the weight of each position, 0 for ignored ones.
        y_pred: float `(batch, height, width, channels)`: the student's channels, and after them the teacher's.

    Returns:
        A float32 scalar; 0 if all weights are 0.

    Raises:
        ValueError: if `num_channels` is below 1, there are not more channels than that, or the weights have another
            size than the maps.

    Reference: Romero et al., FitNets: Hints for Thin Deep Nets, section 2.2.
    """

    def __init__(self, num_channels: int, name: str = "feature_distillation"):
        super().__init__(name=name, dtype="float32")
        if num_channels < 1:
            raise ValueError(
                f"`FeatureDistillation` received num_channels={num_channels}. Expected at least 1. Pass the number of "
                "channels of the student's map."
            )
        self.num_channels = num_channels

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        ops, own = keras.ops, self.num_channels
        self._check_shapes(tuple(y_true.shape), tuple(y_pred.shape))
        weights = ops.reshape(y_true, (-1, 1))
        values = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        total, mean, covariance = _moments(ops.stop_gradient(values), weights)
        variances = ops.diagonal(covariance)
        floor = RIDGE * ops.mean(variances[:own]) + keras.config.epsilon()
        identity = ops.eye(own, dtype="float32")
        matrix = covariance[:own, :own] + floor * identity
        # TensorFlow refuses a matrix of NaN. The loss is NaN nevertheless, because the errors are.
        matrix = ops.where(ops.all(ops.isfinite(matrix)), matrix, identity)
        function = ops.solve(matrix, covariance[:own, own:])
        error = ops.matmul(values[:, :own] - mean[:own], function) - ops.stop_gradient(values[:, own:] - mean[own:])
        scale = variances[own:] + LEAST_VARIANCE * ops.mean(variances[own:])
        shares = ops.mean(ops.divide_no_nan(ops.square(error), scale), axis=-1, keepdims=True)
        return of_all_replicas(ops.divide_no_nan(ops.sum(weights * shares), total))

    def _check_shapes(self, weights, maps):
        sizes = zip(weights, maps[:3], strict=False)
        if len(weights) != 3 or len(maps) != 4 or any(a != b for a, b in sizes if None not in (a, b)):
            raise ValueError(
                f"`FeatureDistillation` received weights of shape {weights} and maps of shape {maps}. Expected (batch, "
                "height, width) and (batch, height, width, channels). Pass a weight for each position."
            )
        if maps[-1] <= self.num_channels:
            raise ValueError(
                f"`FeatureDistillation` received num_channels={self.num_channels} and {maps[-1]} channels. Expected "
                "the student's channels, and after them the teacher's. Pass the number of the student's channels."
            )

    def get_config(self) -> dict[str, Any]:
        return {"num_channels": self.num_channels, "name": self.name}


def _moments(values, weights):
    """Returns the weight per replica, and the mean and covariance of the channels over all replicas."""
    ops = keras.ops
    sums = mean_over_replicas(ops.sum(weights * ops.concatenate([ops.ones_like(weights), values], axis=-1), axis=0))
    total, mean = sums[0], ops.divide_no_nan(sums[1:], sums[0])
    centered = values - mean
    products = mean_over_replicas(ops.matmul(ops.transpose(weights * centered), centered))
    return total, mean, ops.divide_no_nan(products, total)
