"""Region mutual information: the mutual information between predicted and true neighborhoods of pixels."""

from typing import Any

import keras

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.distributed.replicas import mean_over_replicas, num_replicas
from keras_hrnet.training.losses.cross_entropy import CrossEntropy
from keras_hrnet.training.losses.residual_log_determinant import residual_log_determinant
from keras_hrnet.training.losses.segmentation_loss import SegmentationLoss, mean_over_pixels

# NVIDIA's semantic-segmentation, loss/rmi.py: `loss_weight_lambda`, `rmi_pool_size`, `_POS_ALPHA`, `_CLIP_MIN`.
CROSS_ENTROPY_SHARE = 0.5
POOL_SIZE = 4
RIDGE = 5e-4
LEAST_PROBABILITY = 1e-6


@keras.saving.register_keras_serializable(package="keras_hrnet")
class RegionMutualInformation(SegmentationLoss):
    """Half binary cross-entropy, half the negative of a lower bound of the mutual information between neighborhoods.

    Each class is a map of probabilities, by sigmoid. The cross-entropy of the maps is summed over the classes and the
    pixels that are not ignored, and divided by the number of these pixels plus 1. For the other half, the maps of the
    prediction and of the truth are averaged over squares of 4x4 pixels, and the `radius`² values around each point are
    a vector. The residuals of the best linear prediction of the true vectors have a covariance, summed over the points
    of an image; half the logarithm of its determinant, divided by `radius`², is summed over the classes and averaged
    over the images.

    Everything is computed in float32 on every backend, even for a perfect or constant prediction. The loss can be
    differentiated once. It can be negative.

    Args:
        num_classes: number of classes of the logits.
        radius: side of the neighborhoods, in squares of 4x4 pixels.
        ignore_label: the label of ignored pixels. Their probability is 0 in the neighborhoods of both.
        data_format, name: see `SegmentationLoss`.

    Raises:
        TypeError: if `num_classes` or `radius` is not an integer.
        ValueError: if a number is below 1, or, when the loss is first traced, if the logits have another number of
            classes or are too small for a neighborhood.

    Reference: Zhao et al., "Region Mutual Information Loss for Semantic Segmentation", 2019; the constants are those of
    NVIDIA's semantic-segmentation, loss/rmi.py.
    """

    def __init__(
        self,
        num_classes: int,
        radius: int = 3,
        ignore_label: int = IGNORE_LABEL,
        data_format: str | None = None,
        name: str | None = None,
    ):
        super().__init__(ignore_label, data_format, name)
        remedy = "the number of classes of the model, such as 19. Pass that."
        self.num_classes = self.checked_integer("num_classes", num_classes, remedy, 1)
        self.radius = self.checked_integer("radius", radius, "a number of squares of 4x4 pixels. Pass 3.", 1)

    @property
    def auxiliary(self) -> CrossEntropy:
        """The loss for the auxiliary logits of a model: `CrossEntropy`."""
        return CrossEntropy(ignore_label=self.ignore_label, data_format=self.data_format)

    def of_pixels(
        self, labels: keras.KerasTensor, counts: keras.KerasTensor, logits: keras.KerasTensor
    ) -> keras.KerasTensor:
        ops = keras.ops
        self._check_size(logits.shape[1:3])
        classes = ops.arange(self.num_classes, dtype="int32")
        is_counted = ops.expand_dims(counts, -1)
        truth = ops.logical_and(ops.equal(ops.expand_dims(labels, -1), classes), is_counted)
        cross_entropy = _binary_cross_entropy(truth, ops.cast(counts, "float32"), logits)
        probabilities = ops.where(is_counted, ops.sigmoid(logits), 0.0) + LEAST_PROBABILITY
        bound = self._lower_bound(ops.cast(truth, "float32"), probabilities)
        return CROSS_ENTROPY_SHARE * cross_entropy + (1 - CROSS_ENTROPY_SHARE) * bound

    def _lower_bound(self, truth, probabilities):
        ops = keras.ops
        pooled = _pool(probabilities)
        # PyTorch raises an error for a matrix of NaN. The loss is still NaN then, because the cross-entropy is.
        pooled = ops.where(ops.isnan(pooled), 0.0, pooled)
        log_determinant = residual_log_determinant(
            target=self._neighborhoods(_pool(truth)), given=self._neighborhoods(pooled), ridge=RIDGE
        )
        return ops.mean(ops.sum(log_determinant, axis=-1)) / (2 * self.radius**2)

    def _neighborhoods(self, maps):
        """Gathers the vectors of `(batch, height, width, classes)`: `(batch, classes, radius², points)`."""
        ops = keras.ops
        maps = ops.transpose(maps, (0, 3, 1, 2))
        batch, _, height, width = ops.shape(maps)
        height, width = height - self.radius + 1, width - self.radius + 1
        corners = [(y, x) for y in range(self.radius) for x in range(self.radius)]
        windows = ops.stack([maps[:, :, y : y + height, x : x + width] for y, x in corners], axis=2)
        return ops.reshape(windows, (batch, self.num_classes, self.radius**2, height * width))

    def check_num_classes(self, num_classes: int | None) -> None:
        if num_classes not in (None, self.num_classes):
            raise ValueError(
                f"`RegionMutualInformation` received num_classes={self.num_classes}, and logits of {num_classes} "
                f"classes. Expected the same number. Pass num_classes={num_classes}, and check num_classes of the "
                "model and the data_format of the loss."
            )

    def _check_size(self, size):
        least = POOL_SIZE * (self.radius - 1)
        if any(length is not None and length < least for length in size):
            raise ValueError(
                f"`RegionMutualInformation` received images of (height, width) {tuple(size)} for radius={self.radius}. "
                f"Expected at least {least} pixels in each direction. Pass larger crops, or a smaller radius."
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "radius": self.radius}


def _binary_cross_entropy(truth, counts, logits):
    ops = keras.ops
    losses = ops.sum(ops.softplus(ops.where(truth, -logits, logits)), axis=-1)
    pixels = ops.cast(ops.size(counts), "float32") * num_replicas()
    # Each replica divides by the mean count of all replicas; the mean of their losses is then that of the batch.
    return mean_over_pixels(counts * losses) / (mean_over_replicas(mean_over_pixels(counts)) + 1 / pixels)


def _pool(maps):
    # The zeros outside the border are included in the averages, as in PyTorch; `padding="same"` excludes them.
    border = POOL_SIZE // 2
    padded = keras.ops.pad(maps, ((0, 0), (border, border), (border, border), (0, 0)))
    return keras.ops.average_pool(padded, POOL_SIZE, POOL_SIZE, padding="valid", data_format="channels_last")
