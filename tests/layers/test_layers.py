"""What is particular to single layers, by hand."""

import keras
import numpy as np
import pytest

from keras_hrnet import layers


def test_a_strided_convolution_pads_both_sides_alike():
    layer = layers.ConvNorm(1, 3, strides=2, activation=None, data_format="channels_last")
    x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    layer.build(x.shape)
    layer.conv.kernel.assign(np.ones((3, 3, 1, 1)))
    # Windows centered on (0, 0), (0, 2), (2, 0), (2, 2), as PyTorch's padding of 1 centers them.
    expected = np.array(
        [[0 + 1 + 4 + 5, 1 + 2 + 3 + 5 + 6 + 7], [4 + 5 + 8 + 9 + 12 + 13, 5 + 6 + 7 + 9 + 10 + 11 + 13 + 14 + 15]]
    )
    result = keras.ops.convert_to_numpy(layer(x))[0, :, :, 0]
    np.testing.assert_allclose(result, expected / np.sqrt(1 + 1e-5), rtol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "gpus", "padding"),
    [("float32", [], b"EXPLICIT"), ("bfloat16", [], b"VALID"), ("bfloat16", ["GPU:0"], b"EXPLICIT")],
)
def test_a_strided_convolution_pads_where_tensorflow_computes_its_gradients_fastest(dtype, gpus, padding, monkeypatch):
    if keras.config.backend() != "tensorflow":
        pytest.skip("only TensorFlow chooses between two ways to pad")
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    layer = layers.ConvNorm(4, 3, strides=2, activation=None, dtype=dtype)
    layer.build((2, 9, 8, 3))
    traced = tf.function(layer.conv).get_concrete_function(tf.TensorSpec((2, 9, 8, 3), dtype))
    (convolution,) = [each for each in traced.graph.get_operations() if each.type == "Conv2D"]
    assert convolution.get_attr("padding") == padding
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    kernel = keras.ops.cast(layer.conv.kernel, dtype)
    expected = tf.nn.conv2d(tf.cast(x, dtype), kernel, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])
    # Libraries may sum in another order if the map is padded first.
    tolerance = 1e-6 if dtype == "float32" else 2**-7
    found, expected = (tf.cast(y, "float32") for y in (traced(tf.cast(x, dtype)), expected))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_batch_statistics_move_by_a_tenth_in_training():
    layer = layers.ConvNorm(1, 1, data_format="channels_last")
    x = np.full((1, 2, 2, 1), 3.0, "float32")
    layer.build(x.shape)
    layer.conv.kernel.assign(np.ones((1, 1, 1, 1)))
    layer(x, training=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.norm.moving_mean), [0.3], rtol=1e-6)


def test_normalization_takes_imagenets_mean_off_pixels():
    pixels = np.array([[[[0, 0, 0], [255, 255, 255]]]], "uint8")
    result = keras.ops.convert_to_numpy(layers.Normalize(data_format="channels_last")(pixels))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(result[0, 0], [-mean / deviation, (1 - mean) / deviation], rtol=1e-6)


def test_half_precision_normalizes_fractions_of_pixels_in_float32():
    pixels = np.full((1, 1, 1, 3), 200.3, "float32")
    exact = keras.ops.convert_to_numpy(layers.Normalize(data_format="channels_last")(pixels))
    half = layers.Normalize(data_format="channels_last", dtype="mixed_float16")(pixels)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(half), exact.astype("float16"))


def test_a_transition_keeps_a_branch_that_has_its_width():
    layer = layers.Transition((4, 8), data_format="channels_last")
    x = np.random.default_rng(0).uniform(0, 1, (1, 5, 5, 4)).astype("float32")
    kept, new = layer([x])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(kept), x)
    assert tuple(new.shape) == (1, 3, 3, 8)


CONVOLUTIONS = (
    lambda **options: layers.Convolution(4, 3, padding="same", **options),
    lambda **options: layers.DepthwiseConvolution(3, padding="same", **options),
)


@pytest.mark.parametrize("make", CONVOLUTIONS)
@pytest.mark.parametrize("shape", [(1, 4, 3, 4), (1, 4, 4, 3)])
def test_a_bias_is_added_to_channels_where_a_map_has_as_many_rows_or_columns(make, shape):
    layer = make(data_format="channels_first")
    layer.build(shape)
    layer.set_weights([np.zeros(layer.kernel.shape), np.arange(4)])
    expected = np.broadcast_to(np.arange(4)[:, None, None], shape)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(np.ones(shape, "float32"))), expected)


@pytest.mark.parametrize("make", CONVOLUTIONS)
def test_a_margin_is_added_to_the_padding(make):
    layer = make(margin=1, data_format="channels_last")
    layer.build((1, 1, 1, 4))
    layer.set_weights([np.ones(layer.kernel.shape), np.zeros(4)])
    expected = np.full((1, 3, 3, 4), 4 if layer.kernel.shape[3] == 4 else 1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(np.ones((1, 1, 1, 4), "float32"))), expected)


def test_a_transition_refuses_another_number_of_maps():
    with pytest.raises(ValueError, match=r"`Transition` received 2 maps with filters=\(4, 8\)\. Expected 1 maps"):
        layers.Transition((4, 8)).build([(1, 5, 5, 4), (1, 3, 3, 4)])


def test_a_layer_refuses_an_unknown_data_format():
    with pytest.raises(ValueError, match="Received data_format='NHWC'"):
        layers.ConvNorm(4, 3, data_format="NHWC")


def test_a_layer_follows_keras_data_format():
    keras.config.set_image_data_format("channels_first")
    try:
        assert layers.Stem().data_format == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")


def test_first_weights_have_variance_two_over_fan_out():
    layer = layers.ConvNorm(128, 3, data_format="channels_last")
    layer.build((1, 8, 8, 64))
    kernel = keras.ops.convert_to_numpy(layer.conv.kernel)
    np.testing.assert_allclose(kernel.var(), 2 / (9 * 128), rtol=0.02)  # 73,728 draws: standard error 0.5 %
    assert abs(kernel.mean()) < 1e-3


def test_first_weights_follow_the_seed():
    def kernel():
        layer = layers.ConvNorm(4, 3, data_format="channels_last")
        layer.build((1, 8, 8, 4))
        return keras.ops.convert_to_numpy(layer.conv.kernel)

    keras.utils.set_random_seed(7)
    first, second = kernel(), kernel()
    keras.utils.set_random_seed(7)
    np.testing.assert_array_equal(kernel(), first)
    assert np.any(first != second)


def test_the_fuse_layer_adds_the_other_branches():
    layer = layers.FuseLayer(data_format="channels_last")
    fine = np.full((1, 4, 4, 1), 2.0, "float32")
    coarse = np.full((1, 2, 2, 1), 3.0, "float32")
    layer.build([fine.shape, coarse.shape])
    for convolution in layer.convolutions.values():
        kernel = np.zeros(convolution.conv.kernel.shape)
        kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = 10.0  # ten times the pixel in the middle
        convolution.conv.kernel.assign(kernel)
    scale = 10 / np.sqrt(1 + 1e-5)
    first, second = (keras.ops.convert_to_numpy(x) for x in layer([fine, coarse]))
    np.testing.assert_allclose(first, np.full((1, 4, 4, 1), 2 + 3 * scale), rtol=1e-6)
    np.testing.assert_allclose(second, np.full((1, 2, 2, 1), 3 + 2 * scale), rtol=1e-6)
