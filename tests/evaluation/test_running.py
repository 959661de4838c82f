"""Networks on images of many sizes: the same numbers, and few compilations."""

import keras
import numpy as np
import pytest

from keras_hrnet.evaluation import running
from keras_hrnet.evaluation.running import Runner, optimized_for
from keras_hrnet.models.network import InferenceNetwork, labels_model

ON = keras.config.backend()


@pytest.fixture
def network():
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Conv2D(4, 3, padding="same", data_format="channels_last")(image))


def images_of(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def expected(network, images):
    return keras.ops.convert_to_numpy(network(images.astype("float32")))


def test_each_size_and_batch_gives_what_the_network_gives(network, monkeypatch):
    monkeypatch.setattr(running, "NUM_QUICK_RUNS", 2)
    monkeypatch.setattr(running, "MOST_PROGRAMS", 2)
    run = Runner(network)
    for shape in [(2, 8, 9), (1, 8, 9), (2, 5, 7), (1, 5, 7), (2, 5, 7), (2, 5, 7), (1, 4, 4), (3, 6, 4), (2, 8, 9)]:
        images = images_of(*shape)
        np.testing.assert_allclose(run(images), expected(network, images), rtol=1e-5, atol=1e-3)


@pytest.mark.skipif(ON == "torch", reason="PyTorch does not compile networks here")
def test_many_sizes_are_compiled_as_few_times_as_the_backend_can(network, monkeypatch):
    compiled = []
    call = network.call
    monkeypatch.setattr(
        network, "call", lambda x, *args, **kwargs: compiled.append(x.shape) or call(x, *args, **kwargs)
    )
    run = Runner(network)
    for _ in range(3):
        for height in range(5, 10):
            run(images_of(2, height, 6))
            run(images_of(1, height, 6))
    assert len(compiled) == {"tensorflow": 2, "jax": 5}[ON]


def test_weights_that_are_set_later_are_used(network):
    fast = InferenceNetwork(network.input, network.output)
    run = Runner(fast)
    for _ in range(2):
        for shape in ((1, 8, 9), (1, 5, 7)):
            np.testing.assert_allclose(run(images_of(*shape)), expected(fast, images_of(*shape)), rtol=1e-5, atol=1e-3)
        fast.set_weights([2 * weight for weight in fast.get_weights()])


def test_a_network_that_predicts_in_its_own_way_is_left_to_it(network):
    class Doubled(keras.Model):
        def predict_on_batch(self, x):
            return 2 * super().predict_on_batch(x)

    run = Runner(Doubled(network.input, network.output))
    for shape in ((1, 8, 9), (1, 5, 7)):
        np.testing.assert_allclose(run(images_of(*shape)), 2 * expected(network, images_of(*shape)), rtol=1e-5)


def test_labels_of_an_optimized_network_keep_its_constants(network):
    assert isinstance(labels_model(InferenceNetwork(network.input, network.output)), InferenceNetwork)


@pytest.mark.once
def test_a_network_of_this_package_is_optimized_for_many_images_alone(small_network):
    network = small_network(3)
    assert optimized_for(network, 10) is network
    fast = optimized_for(network, 1000)
    assert isinstance(fast, InferenceNetwork)
    assert optimized_for(fast, 1000) is fast
    half = small_network(3)
    half.layers[-1].dtype_policy = keras.DTypePolicy("mixed_float16")
    assert optimized_for(half, 1000) is half


@pytest.mark.once
def test_a_network_that_would_give_other_numbers_is_used_as_it_is(small_network, monkeypatch):
    network = small_network(3)
    monkeypatch.setattr(running, "MAX_DIFFERENCE", -1.0)
    assert optimized_for(network, 1000) is network
