"""Object context: values by hand, and how large its tensors are."""

import math

import keras
import numpy as np
import pytest

from keras_hrnet.layers import ObjectAttention, ObjectContext, SpatialGather
from keras_hrnet.layers.attention import attend


def array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_a_class_is_the_mean_of_the_features_where_it_is():
    features = np.array([[[[1.0, 10.0], [2.0, 20.0]], [[3.0, 30.0], [4.0, 40.0]]]], "float32")
    # Softmax over the four pixels: the first class is evenly everywhere, the second on the last pixel alone.
    logits = np.array([[[[5.0, 0.0], [5.0, 0.0]], [[5.0, 0.0], [5.0, 99.0]]]], "float32")
    means = SpatialGather(data_format="channels_last")([features, logits])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(means), [[[[2.5, 25.0]], [[4.0, 40.0]]]], rtol=1e-6)


def test_attention_scales_by_the_root_of_the_channels():
    query = np.array([[[2.0, 0.0, 0.0, 0.0]]], "float32")
    key = np.array([[[math.log(3.0), 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]], "float32")
    value = np.array([[[4.0], [8.0]]], "float32")
    # 2 * log(3) / sqrt(4) = log(3): shares of 3/4 and 1/4.
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(attend(*map(keras.ops.array, (query, key, value)))), [[[5.0]]]
    )


def test_gathering_in_half_precision_loses_no_pixel():
    # One pixel's share of 131,072 (a 1024x2048 image at stride 4) is below half precision's smallest normal number.
    features = np.full((1, 256, 512, 1), 3.0, "float32")
    gathered = SpatialGather(dtype="mixed_float16", data_format="channels_last")([features, np.zeros_like(features)])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(gathered).astype("float32"), 3.0, rtol=0.01)


@pytest.fixture
def tensor_sizes(monkeypatch):
    """Records the number of elements of what the layers' operations give."""
    sizes = {}

    def recorded(name):
        operation = getattr(keras.ops, name)

        def record(*arguments, **options):
            result = operation(*arguments, **options)
            sizes.setdefault(name, []).append(math.prod(result.shape))
            return result

        return record

    for name in ("matmul", "transpose", "reshape", "softmax", "cast", "concatenate"):
        monkeypatch.setattr(keras.ops, name, recorded(name))
    return sizes


def test_no_tensor_is_larger_than_the_published_codes(tensor_sizes):
    classes, pixels, channels, key = 5, 12 * 16, 32, 8
    features, logits = array(1, 12, 16, channels), array(1, 12, 16, classes)
    objects = SpatialGather(data_format="channels_last")([features, logits])
    assert tensor_sizes.pop("matmul") == [classes * channels]
    # The published code holds the features and, for each class, one number a pixel: no pixels x channels x classes.
    assert max(size for values in tensor_sizes.values() for size in values) == pixels * channels

    tensor_sizes.clear()
    ObjectAttention(key, data_format="channels_last")([features, objects])
    assert tensor_sizes["matmul"] == [pixels * classes, pixels * key]
    assert max(size for values in tensor_sizes.values() for size in values) <= pixels * channels


def test_dropout_leaves_out_whole_maps():
    layer = ObjectContext(64, 4, dropout=0.5, data_format="channels_last")
    inputs = [array(2, 6, 7, 8), array(2, 3, 1, 8)]
    layer(inputs)
    layer.conv_bn_dropout.norm.beta.assign(np.full(64, 50.0))  # Nothing is zero but what is dropped.
    x = keras.ops.convert_to_numpy(layer(inputs, training=True))
    dropped = (x == 0).all(axis=(1, 2))
    assert np.array_equal(dropped, (x == 0).any(axis=(1, 2)))
    assert 0.3 < dropped.mean() < 0.7
    assert (keras.ops.convert_to_numpy(layer(inputs)) != 0).all()
