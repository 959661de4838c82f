"""Builds the TensorFlow function that is exported, from images to the output of the file."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from keras_hrnet.backends.freezing import freeze
from keras_hrnet.models.interface import data_format, label_dtype

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from keras_hrnet.export.options import ExportOptions


def answer_function(
    network: keras.Model, options: ExportOptions, freezes: bool = False
) -> tf.types.experimental.GenericFunction:
    """Builds the function that is exported to a file.

    Args:
        network: a functional network on the TensorFlow backend.
        options: the options of the file.
        freezes: whether its weights are constants.

    Returns:
        A `tf.function` from images of `options.input_shape`, RGB in [0, 255], to a dict with one entry of the name
        `options.output_name`: logits or probabilities, float32, channels last, or labels, uint8 or int32.

    Raises:
        ValueError: if the network does not match the options.
    """
    import tensorflow as tf

    logits_model, axis = options.logits_model(network)
    predict = freeze(logits_model) if freezes else functools.partial(logits_model, training=False)
    is_channels_first = data_format(network) == "channels_first"

    @tf.function(input_signature=[tf.TensorSpec(options.input_shape, options.input_dtype, name=options.input_name)])
    def answer(images):
        x = tf.cast(images, tf.float32)
        if is_channels_first:
            x = tf.transpose(x, (0, 3, 1, 2))
        logits = predict(x)
        if axis == 1 and len(logits.shape) == 4:
            logits = tf.transpose(logits, (0, 2, 3, 1))
        if options.output_name == "labels":
            dtype = label_dtype(logits.shape[-1])
            return {"labels": tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), dtype)}
        if options.output_name == "probabilities":
            return {"probabilities": tf.nn.softmax(logits)}
        return {"logits": logits}

    return answer
