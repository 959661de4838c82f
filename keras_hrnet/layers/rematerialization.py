"""Rematerialization: a layer's intermediate results are recomputed in the backward pass instead of being stored."""

from typing import Any

import keras


def rematerialize(layer: keras.layers.Layer, inputs: keras.KerasTensor | list[keras.KerasTensor]) -> Any:
    """Calls a layer in training, and stores only its inputs and outputs for the backward pass.

    The layer becomes a function without side effects, from the values of its weights to the new values of the weights
    that it updates. TensorFlow and PyTorch run that function again in the backward pass, and JAX traces it. The updates
    are assigned once, here, so that the moving statistics are the same as after a plain call. `keras.remat` of the
    layer itself would update the moving statistics with every batch twice, and raise an error on JAX.

    The layer must be built. Dropout inside it must have a `noise_shape`, as `StochasticDepth` has: Keras then draws the
    mask from a state of the layer. On PyTorch, any other dropout would draw a different mask the second time.
    """
    flat_inputs = keras.tree.flatten(inputs)
    learned, others = layer.trainable_variables, layer.non_trainable_variables
    # These are copies, because PyTorch overwrites the values of variables: the next state of a seed would draw another
    # mask.
    other_values = [keras.ops.copy(variable.value) for variable in others]
    updated = []

    def call(*tensors: keras.KerasTensor) -> tuple[Any, list[keras.KerasTensor]]:
        # The backward pass calls this outside the model, where Keras does not know `training`.
        flat, learned_values = tensors[: len(flat_inputs)], tensors[len(flat_inputs) :]
        values = [*zip(learned, learned_values, strict=True), *zip(others, other_values, strict=True)]
        with keras.StatelessScope(values, initialize_variables=False) as scope:
            before = [scope.get_current_value(variable) for variable in others]
            outputs = layer(keras.tree.pack_sequence_as(inputs, flat), training=True)
        after = [scope.get_current_value(variable) for variable in others]
        updated[:] = [v for v, old, new in zip(others, before, after, strict=True) if new is not old]
        return outputs, [keras.ops.stop_gradient(scope.get_current_value(variable)) for variable in updated]

    outputs, new_values = keras.remat(call)(*flat_inputs, *(variable.value for variable in learned))
    for variable, value in zip(updated, new_values, strict=True):
        variable.assign(value)
    return outputs
