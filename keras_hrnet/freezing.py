"""TensorFlow functions whose weights are constants: faster to load, and to run where oneDNN lays kernels out once."""


def freeze(function, *arguments):
    """Traces a function, and makes constants of the variables that it reads.

    Args:
        function: a function of tensors, on the TensorFlow backend.
        arguments: what it is called with: tensors, or a `tf.TensorSpec` for each.

    Returns:
        A function of such tensors that returns what `function` does, with the values that the variables have now.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def spec(argument):
        return argument if isinstance(argument, tf.TensorSpec) else tf.TensorSpec.from_tensor(argument)

    with tf.init_scope():  # Also where another function is being traced.
        traced = tf.function(function).get_concrete_function(*tf.nest.map_structure(spec, arguments))
        frozen = convert_variables_to_constants_v2(traced)

    def run(*tensors):
        return tf.nest.pack_sequence_as(traced.structured_outputs, frozen(*tf.nest.flatten(tensors)))

    return run


def uses_onednn():
    """Tells whether TensorFlow computes with oneDNN: it decides so itself, unless TF_ENABLE_ONEDNN_OPTS does.

    Returns:
        A bool.
    """
    from tensorflow.python.util import _pywrap_util_port

    return _pywrap_util_port.IsMklEnabled()
