"""Turns the weights of a network into constants on TensorFlow, to load it faster and, with oneDNN, to run it faster."""

import functools
from collections.abc import Callable

import keras
import numpy as np


def freeze(model: keras.Model) -> Callable:
    """Creates a function of a model in which its weights are constants.

    Args:
        model: a Keras model on the TensorFlow backend.

    Returns:
        A function from `inputs` to `model(inputs, training=False)`, to be called while a `tf.function` is traced. The
        constants are the values of the weights at that time.
    """
    import tensorflow as tf

    # Without types, because AutoGraph evaluates the annotations of traced functions, where `tf` is not known.
    def constant(variable):
        with tf.init_scope():  # Variables have no values in the graph that is being traced.
            value = keras.ops.convert_to_numpy(variable)
        return tf.constant(value)

    def run(inputs):
        # TensorFlow's `convert_variables_to_constants_v2` would copy the graph and its weights several times.
        with keras.StatelessScope(state_mapping=[(variable, constant(variable)) for variable in model.variables]):
            return model(inputs, training=False)

    return run


@functools.cache
def uses_onednn() -> bool:
    """Returns whether TensorFlow convolves with oneDNN, which TF_ENABLE_ONEDNN_OPTS or else the processor determines.

    TensorFlow has no public function for this. The result follows from the operation by which TensorFlow replaces a
    small convolution; this takes 0.02 s, once.
    """
    import tensorflow as tf

    shape = (1, 4, 4, 8)
    with tf.Graph().as_default() as graph:
        maps = tf.compat.v1.placeholder(tf.float32, shape)
        convolved = tf.nn.conv2d(maps, tf.ones((3, 3, 8, 8)), 1, "SAME")
    options, metadata = tf.compat.v1.RunOptions(output_partition_graphs=True), tf.compat.v1.RunMetadata()
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        session.run(convolved, {maps: np.zeros(shape, "float32")}, options, metadata)
    return any(node.op.startswith("_Mkl") for part in metadata.partition_graphs for node in part.node)
