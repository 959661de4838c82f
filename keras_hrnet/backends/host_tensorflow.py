"""Imports TensorFlow for files and pipelines, without access to the GPU on which another backend computes."""

import sys
import types
import warnings


def host_tensorflow() -> types.ModuleType:
    """Imports TensorFlow, and hides GPUs from it if Keras runs on JAX or PyTorch.

    TensorFlow reserves nearly all memory of every GPU it sees with its first operation. A pipeline that only
    decodes files would take that memory from the backend that trains.
    """
    import tensorflow as tf

    keras = sys.modules.get("keras")
    if keras is not None and keras.config.backend() != "tensorflow":
        _hide_gpus(tf)
    return tf


def _hide_gpus(tf):
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError:  # Raised by TensorFlow after its devices have been set up.
        warnings.warn(
            "TensorFlow had set up the GPU before this pipeline could hide it, and now reserves the GPU's memory. If "
            "Keras runs on another backend, the pipeline must be the first to use TensorFlow. Create it before any "
            "other TensorFlow call, or set the environment variable TF_FORCE_GPU_ALLOW_GROWTH=true.",
            stacklevel=3,
        )
