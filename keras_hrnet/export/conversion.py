"""Turns a Keras model on the TensorFlow backend into the bytes of a `.tflite` file."""

import numpy as np

from keras_hrnet.evaluation.inference import data_format, label_dtype
from keras_hrnet.export.options import logits_model

SIGNATURE = "serving_default"


def convert(model, options):
    """Converts a network to a `.tflite` file of builtin operators, of fixed shape, with one signature.

    Its weights are float16 if that is the precision, else float32: integers come later (`quantize`).

    The variables become constants first (`convert_variables_to_constants_v2`): the converter is then ten times
    faster, folds each normalisation into its convolution, and can calibrate.

    Args:
        model: a functional network, on the TensorFlow backend.
        options: a `TFLiteOptions`.

    Returns:
        The file, bytes. Its signature "serving_default" goes from "image" to what `options.output_name` says.

    Raises:
        ValueError: if the network does not go with the options.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    logits, axis = logits_model(model, options)
    image = tf.TensorSpec(options.input_shape, options.input_dtype, name="image")

    @tf.function(input_signature=[image])
    def network(image):
        return _answer(logits, axis, image, options.output_name)

    frozen = convert_variables_to_constants_v2(network.get_concrete_function())

    # Freezing loses the names of a signature: this function around it has them again.
    @tf.function(input_signature=[image])
    def signature(image):
        return {options.output_name: frozen(image)[0]}

    module = tf.Module()
    module.signature = signature
    converter = tf.lite.TFLiteConverter.from_concrete_functions([signature.get_concrete_function()], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if options.precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _answer(logits_model, axis, image, output_name):
    import tensorflow as tf

    image = tf.cast(image, tf.float32)
    if data_format(logits_model) == "channels_first":
        image = tf.transpose(image, (0, 3, 1, 2))
    logits = logits_model(image, training=False)
    if axis == 1:
        logits = tf.transpose(logits, (0, 2, 3, 1))
    if output_name == "labels":
        return tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), label_dtype(logits.shape[-1]))
    if output_name == "probabilities":
        return tf.nn.softmax(logits)
    return logits


def answer_from_logits(logits, output_name):
    """Computes from logits what a file answers.

    Args:
        logits: float32 `(..., num_classes)`.
        output_name: "logits", "labels" or "probabilities".

    Returns:
        The logits; or labels `(...)`, uint8 or int32; or probabilities `(..., num_classes)`, float32.
    """
    if output_name == "labels":
        return np.argmax(logits, axis=-1).astype(label_dtype(logits.shape[-1]))
    if output_name == "probabilities":
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return odds / odds.sum(axis=-1, keepdims=True)
    return logits
