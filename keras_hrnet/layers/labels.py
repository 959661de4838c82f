"""Finds the class of the largest logit without copying the logits."""

from typing import Any

import keras

from keras_hrnet.layers.data_format import Shape


def argmax(logits: keras.KerasTensor, axis: int = -1) -> keras.KerasTensor:
    """Finds the class of the largest logit.

    `keras.ops.argmax` returns the same, but copies all logits on TensorFlow, and on JAX outside compiled code, to
    distinguish -0.0 from 0.0.

    Args:
        logits: float `(batch, height, width, num_classes)`, or channels first.
        axis: the axis of the classes.

    Returns:
        int32 `(batch, height, width)`; if logits are equal, the first class.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return tf.argmax(logits, axis, output_type=tf.int32)
    if keras.config.backend() == "jax":
        import jax

        return jax.numpy.argmax(logits, axis)
    return keras.ops.argmax(logits, axis)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Labels(keras.layers.Layer):
    """The class of the largest logit of each pixel, as a layer.

    Args:
        axis: the axis of the classes.
        label_dtype: the dtype of the labels.

    Call arguments:
        logits: float `(batch, height, width, num_classes)`, or channels first.

    Returns:
        Labels `(batch, height, width)` of `label_dtype`.
    """

    def __init__(self, axis: int = -1, label_dtype: str = "uint8", **kwargs: Any) -> None:
        # After rounding to half precision, another logit could be the largest.
        super().__init__(autocast=False, **kwargs)
        self.axis = axis
        self.label_dtype = label_dtype

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, logits: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.cast(argmax(logits, self.axis), self.label_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = list(input_shape)
        del shape[self.axis]
        return tuple(shape)

    def compute_output_spec(self, logits: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(logits.shape), self.label_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "label_dtype": self.label_dtype}
