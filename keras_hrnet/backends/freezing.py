"""Networks whose weights are constants on TensorFlow: they load faster, and run faster if oneDNN is used."""

import functools
from collections.abc import Callable

import keras
import numpy as np


def freeze(model: keras.Model) -> Callable:
    """Makes a function of a model in which its weights are constants.

    Args:
        model: a Keras model on the TensorFlow backend.

    Returns:
        A function from `inputs` to `model(inputs, training=False)`, to be called while a `tf.function` is traced. The
        constants are the values of the weights at that time.
    """
    import tensorflow as tf

    # Without types: AutoGraph evaluates those of what it traces, where `tf` is not known.
    def constant(variable):
        with tf.init_scope():  # In the graph that is traced, a variable has no value.
            value = keras.ops.convert_to_numpy(variable)
        return tf.constant(value)

    def run(inputs):
        # TensorFlow's own way, `convert_variables_to_constants_v2`, copies the graph with all weights several times.
        with keras.StatelessScope(state_mapping=[(variable, constant(variable)) for variable in model.variables]):
            return model(inputs, training=False)

    return run


@functools.cache
def uses_onednn() -> bool:
    """Returns whether TensorFlow convolves with oneDNN: TF_ENABLE_ONEDNN_OPTS decides, or else the processor.

    TensorFlow has no public function for it. A small convolution shows it by the operation that TensorFlow replaces it
    with, once and in 0.02 s.
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
