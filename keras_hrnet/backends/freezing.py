"""Networks whose weights are constants on TensorFlow: faster to load, and to run where oneDNN lays kernels out once."""

import keras


def freeze(model):
    """Makes a function of a model in which constants stand for its weights.

    Args:
        model: a Keras model on the TensorFlow backend.

    Returns:
        A function from `inputs` to `model(inputs, training=False)`, to be called where a `tf.function` is traced. The
        constants are the values that the weights have then.
    """
    import tensorflow as tf

    def constant(variable):
        with tf.init_scope():  # In the graph that is traced, a variable has no value.
            value = keras.ops.convert_to_numpy(variable)
        return tf.constant(value)

    def run(inputs):
        # TensorFlow's own way, `convert_variables_to_constants_v2`, copies the graph with all weights several times.
        with keras.StatelessScope(state_mapping=[(variable, constant(variable)) for variable in model.variables]):
            return model(inputs, training=False)

    return run


def uses_onednn():
    """Tells whether TensorFlow computes with oneDNN: it decides so itself, unless TF_ENABLE_ONEDNN_OPTS does.

    Returns:
        A bool.
    """
    from tensorflow.python.util import _pywrap_util_port

    return _pywrap_util_port.IsMklEnabled()
