"""Interlaced self-attention: against the published code, of any size, and of four dimensions at most."""

import re

import keras
import numpy as np
import pytest

from keras_hrnet.layers import InterlacedAttention, InterlacedContext

BLOCK_SIZES = {"8x8": (8, 8), "2x3": (2, 3)}
SIZES = ("16x24", "11x13")


def key_of(path):
    """Names a weight of `InterlacedContext` as the published code does."""
    path = re.sub(r"^.*?/(isa_block|conv_bn)/", r"\1/", path)
    for pattern, replacement in (
        ("isa_block/", "stages.0."),
        ("w_0/", "W_0/"),
        (r"conv_bn/conv", "conv_bn.0"),
        (r"conv_bn/norm", "conv_bn.1.0"),
        (r"_(\d)/conv", r".\1"),
        (r"_0/norm", ".1.0"),
        (r"_2/norm", ".3.0"),
        ("kernel|gamma", "weight"),
        ("beta", "bias"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    ):
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")


@pytest.fixture(scope="module")
def randomized():
    """Returns a layer of each block size that has weights, made once."""
    layers = {}
    for name, size in BLOCK_SIZES.items():
        layers[name] = InterlacedContext(10, 4, 6, size, dropout=0.05, data_format="channels_last")
        layers[name].build((None, None, None, 12))
    return layers


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("blocks", BLOCK_SIZES)
def test_the_block_computes_what_the_published_one_does(blocks, size, golden_case, randomized):
    weights, arrays = golden_case("isa_block")
    layer = randomized[blocks]
    for weight in layer.weights:
        value = weights.pop(key_of(weight.path))
        weight.assign(value.transpose(2, 3, 1, 0) if value.ndim == 4 else value)
    assert not weights
    features = arrays[f"features_{size}"]
    for answer, name in ((layer.isa_block(features), "block"), (layer(features), "module")):
        expected = arrays[f"{name}_{blocks}_{size}"]
        # Measured on TensorFlow, JAX and PyTorch: at most 3.5e-7 of the largest value.
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(answer), expected, atol=3.5e-6 * abs(expected).max(), rtol=0
        )


def test_every_pixel_reaches_every_other(randomized):
    layer, x = randomized["2x3"].isa_block, np.random.default_rng(0).normal(size=(1, 7, 10, 12)).astype("float32")
    changed = x.copy()
    changed[0, 0, 0] += 5.0
    difference = keras.ops.convert_to_numpy(layer(changed)) - keras.ops.convert_to_numpy(layer(x))
    assert (abs(difference).max(axis=-1) > 0).all()


@pytest.mark.parametrize("size", SIZES)
def test_no_tensor_has_more_than_four_dimensions(size, monkeypatch, randomized):
    ranks = []

    def recorded(operation):
        def record(*arguments, **options):
            result = operation(*arguments, **options)
            ranks.append(len(result.shape))
            return result

        return record

    for name in ("reshape", "transpose", "matmul", "pad", "concatenate"):
        monkeypatch.setattr(keras.ops, name, recorded(getattr(keras.ops, name)))
    height, width = map(int, size.split("x"))
    randomized["8x8"](np.zeros((2, height, width, 12), "float32"))
    assert len(ranks) > 10
    assert max(ranks) <= 4


def test_a_model_of_any_size_takes_one_size_after_another(randomized):
    layer = randomized["8x8"]
    inputs = keras.Input((None, None, 12))
    model = keras.Model(inputs, layer(inputs))
    for size in ((16, 24), (11, 13), (5, 33), (16, 24)):
        x = np.random.default_rng(0).normal(size=(2, *size, 12)).astype("float32")
        expected = keras.ops.convert_to_numpy(layer(x))
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block_size", [(8,), (8, 0), (2.5, 8)])
def test_a_block_of_no_size_is_refused(block_size):
    with pytest.raises(ValueError, match=r"Received block_size=\(.*\)\. Expected \(height, width\), two whole numbers"):
        InterlacedAttention(4, 4, 4, block_size)
