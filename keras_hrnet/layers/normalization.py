"""Batch normalisation: Keras's, with TensorFlow's own fused operation where that computes the same."""

import keras


@keras.saving.register_keras_serializable(package="keras_hrnet")
class BatchNorm(keras.layers.BatchNormalization):
    """Normalises a map by the statistics of the batch in training, and by their moving averages otherwise.

    It computes what `keras.layers.BatchNormalization` does, and takes the same arguments. On TensorFlow with channels
    last it does so in one operation where Keras uses a dozen: a training graph of HRNet is traced and run faster, and
    TensorFlow fuses the operation with the convolution before it in inference.

    Call arguments:
        inputs: float `(batch, height, width, channels)`.
        training: whether to use, and learn, the statistics of this batch.

    Returns:
        float, of the same shape.
    """

    def call(self, inputs, training=None, mask=None):
        if not self.is_fusable(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        return self.call_fused(inputs, training=training and self.trainable)

    def is_fusable(self, inputs, mask):
        plain = mask is None and self.scale and self.center and not (self.synchronized or self.renorm)
        maps = len(inputs.shape) == 4 and self.axis in (-1, 3)
        # The operation takes its scale and statistics in float32 alone.
        return keras.config.backend() == "tensorflow" and plain and maps and self.variable_dtype == "float32"

    def call_fused(self, inputs, training):
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
            is_training=bool(training),
        )
        if training:
            # The operation answers with the variance of the population, n / (n - 1) times that of the batch.
            count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
            variance *= tf.maximum(count - 1, 1) / count
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return tf.cast(y, self.compute_dtype)
