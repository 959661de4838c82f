"""Batch normalisation: Keras's, with the backend's own fused operation where that computes the same."""

import keras


@keras.saving.register_keras_serializable(package="keras_hrnet")
class BatchNorm(keras.layers.BatchNormalization):
    """Normalises a map by the statistics of the batch in training, and by their moving averages otherwise.

    It computes what `keras.layers.BatchNormalization` does, and takes the same arguments. With channels last,
    TensorFlow (in training) and PyTorch do so in one operation where Keras uses a dozen: a step is faster, and on
    TensorFlow sooner traced.

    Call arguments:
        inputs: float `(batch, height, width, channels)`.
        training: whether to use, and learn, the statistics of this batch.

    Returns:
        float, of the same shape.
    """

    def call(self, inputs, training=None, mask=None):
        is_training = bool(training and self.trainable)
        if self.is_fusable(inputs, mask):
            if keras.config.backend() == "torch":
                return self.call_on_torch(inputs, is_training)
            # In inference, TensorFlow would fuse it into the convolution before: ten times as long by oneDNN.
            if keras.config.backend() == "tensorflow" and is_training:
                return self.train_on_tensorflow(inputs)
        return super().call(inputs, training=training, mask=mask)

    def is_fusable(self, inputs, mask):
        plain = mask is None and self.scale and self.center and not (self.synchronized or self.renorm)
        maps = len(inputs.shape) == 4 and self.axis in (-1, 3)
        # The operations take their scale and statistics in float32 alone.
        return plain and maps and self.variable_dtype == "float32"

    def train_on_tensorflow(self, inputs):
        import tensorflow as tf

        x = tf.cast(inputs, tf.float32)  # As Keras does: sums of squares overflow half precision.
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The operation answers with the variance of the population, n / (n - 1) times that of the batch.
        count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
        variance *= tf.maximum(count - 1, 1) / count
        self.move_statistics(mean, variance)
        return tf.cast(y, self.compute_dtype)

    def call_on_torch(self, inputs, training):
        import torch

        x, gamma, beta = inputs.permute(0, 3, 1, 2), self.gamma.value, self.beta.value
        if not x.is_cuda:  # On a GPU it computes in float32 whatever it is given; on a CPU it rounds half precision.
            x = x.to(torch.float32)
        if training:
            y, mean, scale = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.0, self.epsilon)
            # It answers with 1 / sqrt(variance + epsilon), for its derivative.
            self.move_statistics(mean, scale.pow(-2).sub_(self.epsilon).clamp_(min=0))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
            y = torch.nn.functional.batch_norm(x, mean, variance, gamma, beta, False, 0.0, self.epsilon)
        return y.permute(0, 2, 3, 1).to(getattr(torch, self.compute_dtype))

    def move_statistics(self, mean, variance):
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
