"""TensorFlow for files and pipelines, kept off the GPU that another backend computes on."""

import sys
import types
import warnings


def host_tensorflow() -> types.ModuleType:
    """Imports TensorFlow, and hides GPUs from it where Keras runs on JAX or PyTorch.

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
    except RuntimeError:  # what TensorFlow raises once its devices are set up
        warnings.warn(
            "TensorFlow had set up the GPU before this pipeline could hide it, and holds the GPU's memory now. The "
            "pipeline expects to be TensorFlow's first user where Keras runs on another backend. Make it before any "
            "other TensorFlow call, or set the environment variable TF_FORCE_GPU_ALLOW_GROWTH=true.",
            stacklevel=3,
        )
