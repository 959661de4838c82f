"""The convolution whose kernel gradient is computed in another memory layout: its values, and when it is used."""

import keras
import numpy as np
import pytest

from keras_hrnet.layers import ConvNorm, torch_gradient
from keras_hrnet.layers.convolution import Convolution

pytestmark = pytest.mark.skipif(keras.config.backend() != "torch", reason="only PyTorch has this gradient")

LAYERS = {
    "same": {"padding": "same"},
    "dilated": {"padding": "same", "dilation_rate": 2},
    "margin": {"padding": "valid", "margin": 1, "strides": 2},
    "valid": {"padding": "valid", "kernel_size": (1, 3), "use_bias": False},
}


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=(2, 9, 11, 48)).astype("float32")


def derivatives(layer, x):
    import torch

    x = torch.tensor(x, requires_grad=True)
    y = layer(x)
    weight = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
    first = torch.autograd.grad(
        (y * weight).sum(), [x, *(v.value for v in layer.trainable_variables)], create_graph=True
    )
    # The derivative of a penalty on gradients, which needs the derivative of the gradients.
    second = torch.autograd.grad(sum((each**2).sum() for each in first), layer.kernel.value)
    return [each.detach().numpy() for each in (y, *first, *second)]


@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
def test_values_and_gradients_are_those_of_pytorch(options, maps, monkeypatch):
    layer = Convolution(50, **{"kernel_size": 3, "data_format": "channels_last", **options})
    layer.build(maps.shape)
    calls = count_calls(monkeypatch)
    ours = derivatives(layer, maps)
    assert len(calls) == 1
    monkeypatch.setattr(torch_gradient, "LEAST_CHANNELS", 10**6)
    for one, other in zip(ours, derivatives(layer, maps), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())
    assert len(calls) == 1


def test_gradients_of_frozen_parts_are_not_computed(maps, monkeypatch):
    import torch

    calls = count_calls(monkeypatch)
    layer = ConvNorm(48, 3, data_format="channels_last")
    layer.build(maps.shape)
    layer(torch.tensor(maps), training=True).sum().backward()
    assert calls == [False]
    layer.trainable = False
    layer(torch.tensor(maps), training=True)
    with torch.no_grad():
        layer(torch.tensor(maps))
    assert calls == [False]


def count_calls(monkeypatch):
    """Records for each call with copies whether the gradient of the maps is computed."""
    calls, function = [], torch_gradient._with_copies_for_the_kernel

    def counted(options, by_inputs):
        calls.append(by_inputs)
        return function(options, by_inputs)

    monkeypatch.setattr(torch_gradient, "_with_copies_for_the_kernel", counted)
    return calls
