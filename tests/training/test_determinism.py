"""Deterministic operations: a setting of each backend."""

import keras
import pytest

from keras_hrnet.training.determinism import be_deterministic


def test_the_backend_is_told(monkeypatch):
    called = []
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: called.append("tensorflow"))
    elif keras.config.backend() == "torch":
        import torch

        monkeypatch.setattr(
            torch, "use_deterministic_algorithms", lambda on, warn_only: called.append("torch") or warn_only or on
        )
    else:
        import jax

        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
        monkeypatch.setenv("XLA_FLAGS", "--x")
        with pytest.raises(RuntimeError, match=r"XLA_FLAGS='--x'.*Expected --xla_gpu_deterministic_ops=true"):
            be_deterministic()
        monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
        called.append("jax")
    be_deterministic()
    assert called == [keras.config.backend()]
