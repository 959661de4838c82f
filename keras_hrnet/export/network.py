"""Which networks are exported: functional ones in float32, from images to logits."""

import keras

from keras_hrnet.models.interface import data_format


def check_network(model):
    """Refuses what is not a float32 network from RGB images to logits.

    Args:
        model: anything.

    Raises:
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if it gives no logits, or computes in half precision.
    """
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not isinstance(model, keras.Model) or not inputs or not outputs or len(inputs) != 1 or len(outputs) != 1:
        raise TypeError(
            f"Received a model of type {type(model).__name__}. Expected a functional keras.Model from one batch of "
            "images to one tensor of logits. Pass a network with a head, for example keras_hrnet.HRNetW18()."
        )
    data_format(model)
    shape = tuple(outputs[0].shape)
    if len(shape) not in (2, 4) or "float" not in keras.utils.standardize_dtype(outputs[0].dtype):
        raise ValueError(
            f"Received the model {model.name!r} with an output of shape {shape} and dtype {outputs[0].dtype}. Expected "
            "float logits (batch, height, width, num_classes) or (batch, num_classes). Build it with a head; labels "
            "and probabilities are made of them in a `.tflite` file."
        )
    half = sorted({layer.compute_dtype for layer in model.layers} & {"float16", "bfloat16"})
    if half:
        raise ValueError(
            f"Received the model {model.name!r}, which computes in {half[0]}. Expected float32. Build it again with "
            "dtype='float32', give it the weights (`new.set_weights(model.get_weights())`), and export that."
        )
