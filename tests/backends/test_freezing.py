"""Whether TensorFlow uses oneDNN, which it decides as it is loaded."""

import os
import platform
import subprocess
import sys

import keras
import pytest

from keras_hrnet.backends.freezing import freeze

CODE = """
import tensorflow as tf
from keras_hrnet.backends.freezing import uses_onednn
found = []
tf.function(lambda: found.append(uses_onednn())).get_concrete_function()
print(found, uses_onednn(), tf.executing_eagerly())
"""


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="on other processors, TensorFlow may be built without oneDNN"
)
@pytest.mark.slow
@pytest.mark.parametrize(("setting", "expected"), [("0", False), ("1", True)])
def test_a_convolution_tells_whether_tensorflow_uses_onednn(setting, expected):
    if keras.config.backend() != "tensorflow":
        pytest.skip("only TensorFlow decides whether to use oneDNN")
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": setting}
    result = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert result.stdout.split("\n")[-2] == f"[{expected}] {expected} True"


def test_a_frozen_network_is_traced_as_it_is(caplog):
    if keras.config.backend() != "tensorflow":
        pytest.skip("networks are frozen only on TensorFlow")
    import tensorflow as tf

    run = freeze(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    tf.get_logger().addHandler(caplog.handler)
    try:
        tf.function(run).get_concrete_function(tf.TensorSpec((1, 2)))
    finally:
        tf.get_logger().removeHandler(caplog.handler)
    assert not caplog.records
