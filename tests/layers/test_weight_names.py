"""The names of weights: short on TensorFlow, and those of Keras unchanged."""

import keras
import pytest

from keras_hrnet.layers import Branch, DepthwiseConvNorm


@pytest.mark.parametrize("layer", [Branch(4, 1, name="branch"), DepthwiseConvNorm(3, name="branch")])
def test_keras_knows_the_layers_around_a_weight_and_tensorflow_does_not_need_them(layer):
    layer.build((1, 8, 8, 4))
    assert all(weight.path.startswith("branch/") for weight in layer.weights)
    assert len({weight.path for weight in layer.weights}) == len(layer.weights)
    if keras.config.backend() == "tensorflow":
        assert {weight.value.name for weight in layer.weights} <= {
            f"{name}:0" for name in ("kernel", "gamma", "beta", "moving_mean", "moving_variance")
        }
