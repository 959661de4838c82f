"""Calls of layers inside layers: the same as Keras's, and few of Keras's on PyTorch."""

import sys

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.layers import convolution
from keras_hrnet.layers.inside import call_inside

VARIANT = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.fixture
def plain_calls(monkeypatch):
    """Returns a function that lets every layer inside a layer be called as Keras does."""

    def install():
        modules = [module for name, module in sys.modules.items() if name.startswith("keras_hrnet.layers.")]
        for module in modules:
            if hasattr(module, "call_inside"):
                monkeypatch.setattr(module, "call_inside", lambda layer, *args, **kwargs: layer(*args, **kwargs))

    return install


@pytest.mark.skipif(
    keras.config.backend() != "torch", reason="only on PyTorch are inner layers called without Keras's wrapper"
)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("remat", [False, True])
def test_training_and_inference_are_those_of_plain_calls(policy, remat, plain_calls):
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3)).astype("float32")
    labels = np.random.default_rng(1).integers(0, 3, (2, 32, 48)).astype("uint8")
    results = []
    for prepare in (lambda: None, plain_calls):
        prepare()
        keras.utils.set_random_seed(0)
        model = keras_hrnet.HRNet(VARIANT, 3, data_format="channels_last", dtype=policy, remat=remat)
        model.compile(keras_hrnet.training.SGD(0.1), keras_hrnet.training.CrossEntropy(), jit_compile=False)
        model.train_on_batch(images, labels)
        results.append([model.predict_on_batch(images), *model.get_weights()])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_call_inside_is_a_plain_one_but_on_pytorch(monkeypatch):
    layer, called = keras.layers.Activation("relu"), []
    layer.build((1, 3))
    plain = keras.layers.Layer.__call__
    monkeypatch.setattr(
        keras.layers.Layer, "__call__", lambda layer, *args, **kwargs: called.append(layer) or plain(layer, *args)
    )
    result = call_inside(layer, keras.ops.convert_to_tensor([[-1.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(result), [[0, 0, 2]])
    assert called == ([] if keras.config.backend() == "torch" else [layer])


def test_pytorch_calls_few_layers_through_keras(monkeypatch):
    if keras.config.backend() != "torch":
        pytest.skip("TensorFlow and JAX call layers only while they trace")
    model = keras_hrnet.HRNet(VARIANT, 3, data_format="channels_last")
    images = np.zeros((1, 32, 48, 3), "float32")
    called, call = [], keras.layers.Layer.__call__

    def counted(layer, *args, **kwargs):
        called.append(layer)
        return call(layer, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "__call__", counted)
    model(images)
    inner = [layer for layer in called if isinstance(layer, convolution.ConvNorm | convolution.Convolution)]
    assert len(inner) <= 2  # Those of the head.
    assert len(called) < 20


def test_gradients_write_into_no_views():
    if keras.config.backend() != "torch":
        pytest.skip("TensorFlow and JAX compile their gradients")
    model = keras_hrnet.HRNet(VARIANT, 3, data_format="channels_last")
    logits = model(np.zeros((1, 32, 48, 3), "float32"), training=True)
    found, waiting = set(), [logits.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [following for following, _ in node.next_functions]
    kinds = {type(node).__name__ for node in found}
    assert any("BatchNorm" in kind for kind in kinds)
    # Each would copy a map in the backward pass.
    assert not {"CopySlices", "AsStridedBackward0"} & kinds
