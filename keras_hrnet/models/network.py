"""Functional models whose files, compiled on one backend, train on the others."""

import keras


class Portable:
    """What makes a compiled model's file no backend's own.

    Keras saves whether the backend that compiled the model compiles its steps as a whole (`jit_compile`). A file of
    TensorFlow on a CPU would train on JAX one operation at a time, and one of JAX on PyTorch through `torch.compile`.
    The backend that loads the file decides anew, as `compile` does where it is not told.

    A class of models names it before the class that it builds on: `class Network(Portable, keras.Model)`.
    """

    def compile_from_config(self, config):
        super().compile_from_config({**config, "jit_compile": "auto"})


@keras.saving.register_keras_serializable(package="keras_hrnet")
class Network(Portable, keras.Model):
    """A functional `keras.Model` that is saved compiled on one backend, and trains on the others: see `Portable`.

    Args:
        inputs: as `keras.Model`.
        outputs: as `keras.Model`.
        name: as `keras.Model`.
    """
