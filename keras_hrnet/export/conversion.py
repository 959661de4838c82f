"""Turns a Keras model on the TensorFlow backend into the bytes of a `.tflite` file."""

import numpy as np

from keras_hrnet.export.metadata import add_signature
from keras_hrnet.export.options import logits_model
from keras_hrnet.models.interface import data_format, label_dtype

SIGNATURE = "serving_default"


def convert(model, options):
    """Converts a network to a `.tflite` file of builtin operators, of fixed shape, with one signature.

    Its weights are float16 if that is the precision, else float32: integers come later (`quantize`).

    The graph goes to the converter as it is. By way of a SavedModel, as it does by default, HRNetW48 took 64 s and
    11 GB, not 40 s and 6; only the names of the signature are lost, and put back (timed once, 512x1024, two CPU cores).

    Args:
        model: a functional network, on the TensorFlow backend.
        options: a `TFLiteOptions`.

    Returns:
        The file, bytes. Its signature "serving_default" goes from "image" to what `options.output_name` says.

    Raises:
        ValueError: if the network does not go with the options.
    """
    import tensorflow as tf

    logits, axis = logits_model(model, options)

    @tf.function(input_signature=[tf.TensorSpec(options.input_shape, options.input_dtype, name="image")])
    def network(image):
        return _answer(logits, axis, image, options.output_name)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], tf.Module())
    converter.experimental_lower_to_saved_model = False
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if options.precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return add_signature(converter.convert(), SIGNATURE, "image", options.output_name)


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
