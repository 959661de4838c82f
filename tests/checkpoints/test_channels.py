"""Weights of RGB networks in networks for other numbers of channels."""

import numpy as np
import pytest

from keras_hrnet import load_checkpoint
from keras_hrnet.checkpoints.conversion import adapted_kernel


def kernel_of(model):
    return model.weights[0].numpy()


@pytest.mark.parametrize(("channels", "how"), [(1, "summed over the three"), (4, "repeated in their order, times 3/4")])
def test_the_first_kernel_is_adapted(channels, how, tiny, official_weights, assert_holds, published_file):
    weights = official_weights(tiny())
    statistics = {"mean": [100.0] * channels, "deviation": [50.0] * channels}
    model = tiny(input_shape=(None, None, channels), **statistics)
    report = load_checkpoint(model, published_file(weights))
    assert f"adapted to {channels} channel" in str(report) and how in str(report)
    red, green, blue = weights["conv1.weight"].transpose(1, 2, 3, 0)
    expected = [red + green + blue] if channels == 1 else [0.75 * x for x in (red, green, blue, red)]
    np.testing.assert_allclose(kernel_of(model), np.stack(expected, axis=2), atol=1e-6)
    adapted = {**weights, "conv1.weight": kernel_of(model).transpose(3, 2, 0, 1)}
    assert_holds(model, adapted)


def test_a_file_of_four_channels_is_loaded_as_it_is(tiny, official_weights, assert_holds, published_file):
    statistics = {"mean": [100.0] * 4, "deviation": [50.0] * 4}
    model = tiny(input_shape=(None, None, 4), **statistics)
    weights = official_weights(model)
    assert "adapted" not in str(load_checkpoint(model, published_file(weights)))
    assert_holds(model, weights)


def test_a_file_of_four_channels_does_not_fit_rgb(tiny, official_weights, published_file):
    statistics = {"mean": [100.0] * 4, "deviation": [50.0] * 4}
    weights = official_weights(tiny(input_shape=(None, None, 4), **statistics))
    with pytest.raises(ValueError, match=r"nothing was loaded(.|\n)*conv1.weight"):
        load_checkpoint(tiny(), published_file(weights))


@pytest.mark.once
@pytest.mark.parametrize("channels", [1, 2, 5, 6])
def test_channels_that_are_all_alike_keep_their_meaning(channels):
    kernel = np.random.default_rng(0).normal(size=(8, 3, 3, 3)).astype("float32")
    if channels % 3 == 0 or channels == 1:
        np.testing.assert_allclose(adapted_kernel(kernel, channels).sum(axis=1), kernel.sum(axis=1), atol=1e-5)
    assert adapted_kernel(kernel, channels).shape == (8, channels, 3, 3)
    assert adapted_kernel(kernel, channels).dtype == np.float32
