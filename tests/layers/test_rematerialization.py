"""Rematerialized layers against the same layers called plainly."""

import keras
import numpy as np
import pytest

from keras_hrnet.layers import BasicBlock, BatchNorm, Branch, HighResolutionModule, ResizeConcatenate, Stage, Transition
from keras_hrnet.layers.rematerialization import rematerialize

MAP = (2, 4, 6, 4)


class CountingBlock(BasicBlock):
    """A block that counts how often it is called, and with which `training`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def call(self, x, training=None):
        self.seen.append(training)
        return super().call(x)


class Rematerialized(keras.layers.Layer):
    """Calls another layer through `rematerialize`, or plainly."""

    def __init__(self, layer, remat, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.remat = remat

    def build(self, input_shape):
        self.layer.build(input_shape)

    def call(self, x, training=None):
        return rematerialize(self.layer, x) if self.remat and training else self.layer(x)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)


def maps(shape=MAP):
    return np.random.default_rng(0).normal(1.0, 2.0, shape).astype("float32")


def train(model, steps=1, run_eagerly=False):
    """Trains a model on fixed data from fixed weights, and returns its weights before and after."""
    generator = np.random.default_rng(1)
    model.set_weights([generator.uniform(0.1, 0.5, weight.shape) for weight in model.weights])
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=run_eagerly)
    for _ in range(steps):
        model.train_on_batch(maps(), np.zeros((len(maps()), *model.output_shape[1:]), "float32"))
    return before, model.get_weights()


def assert_equal_weights(ours, theirs):
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-6)  # measured 0


@pytest.fixture(scope="module")
def networks():
    """Two networks of the layers that have `remat`: with, and without."""

    def network(remat):
        image = keras.Input(MAP[1:])
        x = Branch(2, 1, "bottleneck", remat=remat)(image)
        x = HighResolutionModule(1, remat=remat)(Transition((4, 6))([x]))
        return keras.Model(image, ResizeConcatenate()(x))

    return network(True), network(False)


def test_three_training_steps_move_weights_and_statistics_as_without(networks):
    (_, ours), (_, theirs) = (train(network, steps=3) for network in networks)
    assert_equal_weights(ours, theirs)


def test_a_step_out_of_a_graph_moves_weights_and_statistics_as_without(networks):
    if keras.config.backend() == "jax":
        pytest.skip("JAX trains only in compiled steps")
    (_, ours), (_, theirs) = (train(network, run_eagerly=True) for network in networks)
    assert_equal_weights(ours, theirs)


@pytest.mark.parametrize(
    "options", [{"data_format": "channels_first"}, {"dtype": "mixed_float16"}, {"dtype": "mixed_bfloat16"}], ids=str
)
def test_so_does_one_in_another_mode(options):
    results = []
    for remat in (True, False):
        model = keras.Sequential([keras.Input(MAP[1:]), Rematerialized(BasicBlock(4, **options), remat)])
        results.append(train(model, run_eagerly=keras.config.backend() != "jax")[1])
    assert_equal_weights(*results)


def test_statistics_take_in_a_batch_once():
    layer = BatchNorm(momentum=0.9, epsilon=1e-5)
    layer.build((None, 1, 2, 1))
    x = np.array([[[[1.0], [5.0]]]], "float32")
    rematerialize(layer, keras.ops.convert_to_tensor(x))
    # Mean 3 and variance 4: a tenth of each, and nine tenths of the first values 0 and 1.
    assert float(keras.ops.convert_to_numpy(layer.moving_mean)[0]) == pytest.approx(0.3)
    assert float(keras.ops.convert_to_numpy(layer.moving_variance)[0]) == pytest.approx(1.3)


def test_what_is_computed_again_is_computed_as_in_training():
    block = CountingBlock(4, data_format="channels_last")
    model = keras.Sequential([keras.Input(MAP[1:]), Rematerialized(block, True)])
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=keras.config.backend() != "jax")
    model.train_on_batch(maps(), np.zeros(MAP, "float32"))
    if keras.config.backend() == "jax":  # It repeats what it traced, and calls nothing.
        assert True in block.seen
        return
    block.seen.clear()
    model.train_on_batch(maps(), np.zeros(MAP, "float32"))
    assert block.seen == [True, True]


def test_a_frozen_layer_keeps_all_it_holds_and_passes_the_gradient_on():
    results = []
    for remat in (True, False):
        frozen = BasicBlock(4, data_format="channels_last")
        frozen.trainable = False
        learner = keras.layers.Conv2D(4, 1, data_format="channels_last")
        model = keras.Sequential([keras.Input(MAP[1:]), learner, Rematerialized(frozen, remat)])
        before, after = train(model)
        moved = [np.any(x != y) for x, y in zip(before, after, strict=True)]
        assert moved == [True] * 2 + [False] * len(frozen.weights)
        results.append(after)
    assert_equal_weights(*results)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_frozen_weights_are_not_rounded_to_half_precision(policy):
    block = BasicBlock(4, data_format="channels_last", dtype=policy)
    layer = Rematerialized(block, True, dtype=policy)
    layer.build(MAP)
    block.trainable = False
    before = block.get_weights()
    assert keras.backend.standardize_dtype(layer(maps(), training=True).dtype) == block.compute_dtype
    for weight, value in zip(block.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("training", [False, None])
def test_nothing_is_done_outside_training(training):
    branch = Branch(4, 2, data_format="channels_last", remat=True)
    branch.build(MAP)
    before = branch.get_weights()
    plain = Branch(4, 2, data_format="channels_last")
    plain.build(MAP)
    plain.set_weights(before)
    x = maps()
    ours, theirs = (keras.ops.convert_to_numpy(layer(x, training=training)) for layer in (branch, plain))
    np.testing.assert_array_equal(ours, theirs)
    for weight, value in zip(branch.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize(
    ("make", "num_parts"),
    [
        (lambda remat: Branch(4, 2, remat=remat), 2),
        (lambda remat: HighResolutionModule(1, remat=remat), 3),
        (lambda remat: Stage(2, 1, remat=remat), 6),
    ],
    ids=["each block of a branch", "each branch of a module and its fuse layer", "those of each module of a stage"],
)
def test_layers_recompute(make, num_parts, monkeypatch):
    wrapped = []
    monkeypatch.setattr(keras, "remat", lambda f: wrapped.append(f) or f)
    for remat in (False, True):
        layer = make(remat)
        inputs = maps() if isinstance(layer, Branch) else [maps(), maps((2, 2, 3, 8))]
        layer(inputs, training=True)
        assert len(wrapped) == (num_parts if remat else 0)


def test_a_config_without_remat_is_one_of_a_layer_without():
    for layer in (Branch(4, 2, remat=True), HighResolutionModule(1, remat=True), Stage(1, 1, remat=True)):
        config = layer.get_config()
        assert type(layer).from_config(config).remat is True
        del config["remat"]
        assert type(layer).from_config(config).remat is False
