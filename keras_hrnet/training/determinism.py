"""Selects operations that return the same result each time, on any number of cores."""

import os

import keras


def be_deterministic() -> None:
    """Makes the backend compute with deterministic operations, in this process from now on.

    TensorFlow is switched by `tf.config.experimental.enable_op_determinism`, and PyTorch by
    `torch.use_deterministic_algorithms`, which warns about operations that have no deterministic algorithm. JAX's
    operations are deterministic on a CPU; on a GPU, they require a flag of XLA that is set before JAX starts.

    Raises:
        RuntimeError: on JAX with a GPU, if `XLA_FLAGS` does not contain the flag.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif backend == "torch":
        import torch

        torch.use_deterministic_algorithms(True, warn_only=True)
    elif backend == "jax":
        import jax

        flag = "--xla_gpu_deterministic_ops=true"
        if jax.default_backend() == "gpu" and flag not in os.environ.get("XLA_FLAGS", ""):
            raise RuntimeError(
                f"Received deterministic=True for JAX on a GPU with XLA_FLAGS={os.environ.get('XLA_FLAGS', '')!r}. "
                f"Expected {flag} in it, before JAX starts. Set it in the environment."
            )
