"""What several devices would train differently from one device is refused before the first step."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.distributed import processes
from keras_hrnet.layers import BatchNorm
from keras_hrnet.training import RECIPES, checks

BACKEND = keras.config.backend()
RECIPE = RECIPES["cityscapes"]


def network(norm, dtype="float32"):
    image = keras.Input((8, 8, 3))
    return keras.Model(image, keras.layers.Conv2D(2, 1, dtype=dtype)(norm(dtype=dtype)(image)), name="small")


def in_float16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return network(BatchNorm)
    finally:
        keras.config.set_dtype_policy(before)


class TestCheckDevices:
    @pytest.fixture(autouse=True)
    def _two(self, monkeypatch):
        monkeypatch.setattr(checks, "num_devices", lambda: 2)

    def test_a_batch_that_cannot_be_shared_is_refused(self):
        import tensorflow as tf

        data = tf.data.Dataset.from_tensors((np.zeros((3, 8, 8, 3)), np.zeros((3, 8, 8)))).unbatch().batch(3, True)
        with pytest.raises(ValueError, match=r"batches of 3 images in `val` for 2 devices.*with batch_size=2\."):
            checks.check_devices(network(BatchNorm), None, data, RECIPE)

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (lambda: network(keras.layers.BatchNormalization), "Use keras_hrnet.layers.BatchNorm, or freeze_norm=True"),
            (in_float16, "dtype='mixed_bfloat16'"),
        ],
        ids=["Keras's normalization", "mixed_float16"],
    )
    def test_what_is_of_one_replica_alone_is_refused(self, model, message):
        model = model()
        if BACKEND == "jax":
            checks.check_devices(model, None, None, RECIPE)
            return
        with pytest.raises(ValueError, match=message):
            checks.check_devices(model, None, None, RECIPE)

    def test_a_strategy_of_several_processes_that_fit_fails_under_is_refused(self, monkeypatch):
        if BACKEND != "tensorflow":
            pytest.skip("only TensorFlow has distribution strategies")
        monkeypatch.setattr(checks, "this_process", lambda: processes.Process(1, 2))
        with pytest.raises(ValueError, match=r"strategy of 2 processes\. Expected the strategy of `distributed`"):
            checks.check_devices(network(BatchNorm), None, None, RECIPE)

    def test_frozen_and_whole_normalization_is_not(self):
        frozen = dataclasses.replace(RECIPE, freeze_norm=True)
        checks.check_devices(network(keras.layers.BatchNormalization), None, None, frozen)
        checks.check_devices(network(BatchNorm), None, None, RECIPE)
        if BACKEND == "tensorflow":
            layer = keras.layers.BatchNormalization
            checks.check_devices(network(lambda dtype: layer(synchronized=True)), None, None, RECIPE)

    def test_statistics_for_averages_are_estimated_on_one_device_alone(self):
        batch = np.full((2, 8, 8, 3), 100, "uint8"), np.zeros((2, 8, 8), "uint8")
        with pytest.raises(ValueError, match=r"norm_batches=20 with ema=0\.9 for 2 devices.*--set norm_batches=0"):
            keras_hrnet.train(network(BatchNorm), [batch], [batch], ema=0.9)
