"""Batch normalisation: Keras's, with the backend's own fused operation where that computes the same."""

import keras


@keras.saving.register_keras_serializable(package="keras_hrnet")
class BatchNorm(keras.layers.BatchNormalization):
    """Normalises a map by the statistics of the batch in training, and by their moving averages otherwise.

    It computes what `keras.layers.BatchNormalization` does, and takes the same arguments. With channels last,
    TensorFlow and PyTorch do so in one operation where Keras uses a dozen: a training step is faster, and on TensorFlow
    sooner traced; in inference TensorFlow fuses the operation with the convolution before it.

    Call arguments:
        inputs: float `(batch, height, width, channels)`.
        training: whether to use, and learn, the statistics of this batch.

    Returns:
        float, of the same shape.
    """

    def call(self, inputs, training=None, mask=None):
        if not self.is_fusable(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        training = bool(training and self.trainable)
        if keras.config.backend() == "torch":
            return self.call_on_torch(inputs, training)
        return self.call_on_tensorflow(inputs, training)

    def is_fusable(self, inputs, mask):
        plain = mask is None and self.scale and self.center and not (self.synchronized or self.renorm)
        maps = len(inputs.shape) == 4 and self.axis in (-1, 3)
        # The operations take their scale and statistics in float32 alone, and PyTorch's rounds half precision inside.
        precise = self.variable_dtype == "float32"
        if keras.config.backend() == "torch":
            precise = precise and self.compute_dtype == keras.backend.standardize_dtype(inputs.dtype) == "float32"
        return keras.config.backend() != "jax" and plain and maps and precise

    def call_on_tensorflow(self, inputs, training):
        import tensorflow as tf

        x = tf.cast(inputs, tf.float32)  # As Keras does: sums of squares overflow half precision.
        no_statistics = tf.zeros([0])
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=no_statistics if training else self.moving_mean.value,
            variance=no_statistics if training else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            # The operation answers with the variance of the population, n / (n - 1) times that of the batch.
            count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
            variance *= tf.maximum(count - 1, 1) / count
            self.move_statistics(mean, variance)
        return tf.cast(y, self.compute_dtype)

    def call_on_torch(self, inputs, training):
        import torch

        x, gamma, beta = inputs.permute(0, 3, 1, 2), self.gamma.value, self.beta.value
        if training:
            y, mean, scale = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.0, self.epsilon)
            # It answers with 1 / sqrt(variance + epsilon), for its derivative.
            self.move_statistics(mean, scale.pow(-2).sub_(self.epsilon).clamp_(min=0))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
            y = torch.nn.functional.batch_norm(x, mean, variance, gamma, beta, False, 0.0, self.epsilon)
        return y.permute(0, 2, 3, 1)

    def move_statistics(self, mean, variance):
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
