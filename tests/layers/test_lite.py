"""The layers of Lite-HRNet, by values worked by hand and by PyTorch's own operations."""

import keras
import numpy as np
import pytest

from keras_hrnet import layers
from keras_hrnet.layers.adaptive_mean import adaptive_mean


def array(x):
    return keras.ops.convert_to_numpy(x)


def test_channels_are_taken_in_turn():
    maps = [np.full((2, 3, 5, 2), value, "float32") + np.arange(2, dtype="float32") for value in (10, 20, 30)]
    mixed = array(layers.ChannelShuffle(data_format="channels_last")(maps))
    assert mixed.shape == (2, 3, 5, 6)
    np.testing.assert_array_equal(mixed[1, 2, 4], [10, 20, 30, 11, 21, 31])


@pytest.mark.once
def test_maps_of_different_widths_are_not_shuffled():
    with pytest.raises(ValueError, match="Expected the same number of channels"):
        layers.ChannelShuffle()([np.ones((1, 2, 2, 3)), np.ones((1, 2, 2, 4))])


@pytest.mark.once
@pytest.mark.parametrize("layer", [layers.ShuffleUnit(5), layers.LiteStem(5)])
def test_an_odd_number_of_channels_has_no_halves(layer):
    with pytest.raises(ValueError, match=r"a map of 5 channels. Expected an even number"):
        layer.build((1, 32, 32, 5))


@pytest.mark.once
def test_a_hidden_layer_needs_a_channel():
    with pytest.raises(ValueError, match=r"maps of 3 channels with a ratio of 4. Expected at least 4"):
        layers.SpatialWeighting().build((1, 2, 2, 3))


@pytest.mark.once
def test_an_unknown_block_is_refused():
    with pytest.raises(ValueError, match=r"received block='basic'. Expected one of"):
        layers.LiteModule(1, "basic")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("size", [(2, 3), (3, 5), (8, 12)])
def test_a_mean_over_parts_is_pytorchs(size, data_format):
    import torch

    x = np.random.default_rng(0).uniform(0, 1, (2, 3, 8, 12)).astype("float32")
    expected = torch.nn.functional.adaptive_avg_pool2d(torch.tensor(x), size).numpy()
    given = x if data_format == "channels_first" else np.moveaxis(x, 1, -1)
    mean = array(adaptive_mean(keras.ops.convert_to_tensor(given), size, data_format))
    mean = mean if data_format == "channels_first" else np.moveaxis(mean, -1, 1)
    np.testing.assert_allclose(mean, expected, atol=2e-6)  # Measured 1.2e-7.


def test_half_precision_holds_the_mean_of_a_large_map():
    layer = layers.SpatialWeighting(2, data_format="channels_last", dtype="mixed_float16")
    x = np.full((1, 300, 300, 2), 8, "float32")
    assert np.all(np.isfinite(array(keras.ops.cast(layer(x), "float32"))))


def test_the_finest_branch_counts_twice_and_the_others_are_given_its_sum():
    fuse = layers.LiteFuse(data_format="channels_last", folded=True)
    maps = [np.full((1, 4, 4, 1), 3, "float32"), np.full((1, 2, 2, 1), 5, "float32")]
    fuse(maps)
    for name, layer in fuse.convolutions.items():
        kernel = np.zeros(layer.conv.kernel.shape, "float32")
        kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = 1
        layer.conv.kernel.assign(kernel)
        layer.conv.bias.assign([100.0] if name == "up_0_1" else [0.0])
    finest, coarsest = fuse(maps)
    assert set(array(finest).ravel()) == {3 + 3 + (5 + 100)}
    assert set(array(coarsest).ravel()) == {2 * 111 + 5}


def test_statistics_of_what_the_published_loop_computes_twice_move_twice():
    fuse = layers.LiteFuse(data_format="channels_last")
    finest = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 2)).astype("float32")
    # A coarser branch of zeros adds nothing to the finest, which is counted twice.
    maps = [finest, np.zeros((2, 4, 4, 2), "float32")]
    fuse.build([x.shape for x in maps])
    once = layers.DepthwiseConvNorm(3, strides=2, activation=None, data_format="channels_last")
    once.build(finest.shape)
    once.set_weights([array(x) for x in fuse.convolutions["down_1_0_0_spatial"].weights])
    fuse(maps, training=True)
    for _ in range(2):
        once(2 * finest, training=True)
    moved = fuse.convolutions["down_1_0_0_spatial"].norm
    for one, two in ((moved.moving_mean, once.norm.moving_mean), (moved.moving_variance, once.norm.moving_variance)):
        np.testing.assert_allclose(array(one), array(two), rtol=1e-5, atol=1e-7)


def test_maps_are_added_up_from_coarse_to_fine():
    layer = layers.IterativeUpsampling(data_format="channels_last", folded=True)
    maps = [np.full((1, 5, 7, 1), 1, "float32"), np.full((1, 3, 4, 1), 10, "float32")]
    layer(maps)
    for convolution in layer.convolutions:
        for part in (convolution.spatial, convolution.pointwise):
            kernel = np.zeros(part.conv.kernel.shape, "float32")
            kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] = 2
            part.conv.kernel.assign(kernel)
    np.testing.assert_array_equal(array(layer(maps)), np.full((1, 5, 7, 1), 4 * (1 + 4 * 10)))
