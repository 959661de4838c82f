"""Scales of an image: sizes, and values by hand."""

import keras
import numpy as np
import pytest

from keras_hrnet.layers import Rescale, ScaleAttention, ScaleBlend


def as_array(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize(("scale", "size"), [(0.5, (16, 24)), (2.0, (66, 98)), (0.75, (24, 36)), (1.0, (33, 49))])
def test_an_odd_size_is_rounded_down(scale, size):
    layer = Rescale(scale, data_format="channels_last")
    assert layer.compute_output_shape((2, 33, 49, 3)) == (2, *size, 3)
    assert layer.compute_output_shape((None, None, None, 3)) == (None, None, None, 3)
    assert tuple(layer(np.zeros((2, 33, 49, 3), "uint8")).shape) == (2, *size, 3)
    model = keras.Sequential([keras.Input((None, None, 3)), layer])
    assert model.predict(np.zeros((2, 33, 49, 3), "uint8"), verbose=0).shape == (2, *size, 3)


def test_half_the_size_is_the_mean_of_four_pixels():
    x = np.array([[[[0], [10], [20], [30]], [[40], [50], [60], [70]]]], "uint8")
    np.testing.assert_allclose(as_array(Rescale(0.5, data_format="channels_last")(x)), [[[[25.0], [45.0]]]])


def test_below_the_image_size_attention_is_enlarged_with_its_prediction():
    larger = np.array([[[[10.0], [20.0]], [[30.0], [40.0]]]], "float32")
    here, attention = np.full((1, 1, 1, 1), 100.0, "float32"), np.full((1, 1, 1, 1), 0.25, "float32")
    blended = ScaleBlend(enlarge=True, data_format="channels_last")([larger, here, attention])
    np.testing.assert_allclose(as_array(blended), 25 + 0.75 * larger)


def test_above_the_image_size_the_larger_scale_comes_down():
    larger = np.array([[[[10.0], [20.0]], [[30.0], [40.0]]]], "float32")
    here, attention = np.full((1, 1, 1, 1), 100.0, "float32"), np.full((1, 1, 1, 1), 0.25, "float32")
    blended = ScaleBlend(enlarge=False, data_format="channels_last")([larger, here, attention])
    np.testing.assert_allclose(as_array(blended), [[[[25 + 0.75 * 25]]]])


def test_the_product_is_enlarged_and_not_its_factors():
    # Between the pixels, the product of two enlarged maps is not the enlarged product, which is the published order.
    here = np.array([[[[0.0], [8.0]]]], "float32")
    attention = np.array([[[[0.0], [1.0]]]], "float32")
    larger = np.zeros((1, 1, 4, 1), "float32")
    blended = ScaleBlend(enlarge=True, data_format="channels_last")([larger, here, attention])
    np.testing.assert_allclose(as_array(blended).ravel(), [0, 2, 6, 8])


def test_attention_is_a_share():
    x = 100 * np.random.default_rng(0).normal(size=(2, 6, 7, 8)).astype("float32")
    attention = as_array(ScaleAttention(4, data_format="channels_last")(x))
    assert attention.shape == (2, 6, 7, 1)
    assert 0 <= attention.min() < 0.5 < attention.max() <= 1


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_a_scale_of_nothing_is_refused(scale):
    with pytest.raises(ValueError, match=r"Received scale=.*\. Expected a number above 0"):
        Rescale(scale)
