"""Functional models: those whose files, compiled on one backend, train on the others, and those that only predict."""

import keras

from keras_hrnet.backends.freezing import freeze, uses_onednn


class Portable:
    """What makes a compiled model's file no backend's own, and its first step on TensorFlow twice as fast.

    Keras saves whether the backend that compiled the model compiles its steps as a whole (`jit_compile`). A file of
    TensorFlow on a CPU would train on JAX one operation at a time, and one of JAX on PyTorch through `torch.compile`.
    The backend that loads the file decides anew, as `compile` does where it is not told.

    A class of models names it before the class that it builds on: `class Network(Portable, keras.Model)`.
    """

    def compile_from_config(self, config):
        super().compile_from_config({**config, "jit_compile": "auto"})

    def make_train_function(self, force=False):
        # TensorFlow traces a step twice if the optimizer makes its variables in it, and a step takes long to trace.
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Network(Portable, keras.Model):
    """A functional `keras.Model` that is saved compiled on one backend, and trains on the others: see `Portable`.

    Args:
        inputs: as `keras.Model`.
        outputs: as `keras.Model`.
        name: as `keras.Model`.
    """


@keras.saving.register_keras_serializable(package="keras_hrnet")
class InferenceNetwork(Network):
    """A functional model for inference, as `optimize_for_inference` makes it.

    On TensorFlow on a CPU where it uses oneDNN, `predict` computes with constants, as an exported file does: oneDNN
    lays out a constant kernel once, a variable at every call. They are taken from the weights when it first predicts,
    and again after `set_weights` and `load_weights`; who assigns to a weight by itself calls
    `make_predict_function(force=True)`.

    Args:
        inputs: as `keras.Model`.
        outputs: as `keras.Model`.
        name: as `keras.Model`.
    """

    def predict_step(self, *state_and_data):
        # JAX's trainer hands the state of the model in too.
        plain = keras.config.backend() != "tensorflow" or self.jit_compile or self.run_eagerly
        if plain or not uses_onednn():
            return super().predict_step(*state_and_data)
        (data,) = state_and_data
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return freeze(self)(x)

    def set_weights(self, weights):
        super().set_weights(weights)
        self.predict_function = None

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
        self.predict_function = None
