"""Layers of parallel branches that are called together, so that their normalizations exchange one message."""

import itertools

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.layers import BatchNorm, normalization, together
from keras_hrnet.layers.branch import Branch
from keras_hrnet.layers.residual import BasicBlock
from keras_hrnet.layers.stage import HighResolutionModule
from keras_hrnet.layers.sublayers import sublayers

NARROW = {"width": 4, "stage1_filters": 8}
TINY = keras_hrnet.Variant("Tiny", stage1_blocks=1, modules=(1, 1, 1), blocks=1, **NARROW)
NETWORKS = {
    "HRNet": lambda: keras_hrnet.HRNet(TINY, 5),
    "HRFormer": lambda: keras_hrnet.HRFormerTiny(5, head="fcn", drop_path=0.0),
    "LiteHRNet": lambda: keras_hrnet.LiteHRNet18(5),
    "naive": lambda: keras_hrnet.LiteHRNetNaive18(5),
}


@pytest.fixture
def messages(monkeypatch):
    """Counts the messages to another replica, which has the same maps."""
    widths = []

    def sum_over_replicas(x):
        widths.append(x.shape[1])
        return 2 * x

    monkeypatch.setattr(normalization, "sum_over_replicas", sum_over_replicas)
    for module in (normalization, together):
        monkeypatch.setattr(module, "num_replicas", lambda: 2)
    return widths


def images(size):
    return np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype("float32")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_over_two_replicas_with_the_same_images_are_one(name, request):
    keras.utils.set_random_seed(0)
    model = NETWORKS[name]()
    weights, answers = model.get_weights(), []
    for replicas in (1, 2):
        if replicas == 2:
            widths = request.getfixturevalue("messages")
        model.set_weights(weights)
        answers.append([keras.ops.convert_to_numpy(model(images((96, 160)), training=True)), *model.get_weights()])
    norms = [layer for layer in sublayers(model) if isinstance(layer, BatchNorm)]
    assert sum(widths) == sum(norm.gamma.shape[0] for norm in norms)
    assert len(widths) < len(norms)
    for one, two in zip(*answers, strict=True):
        # Measured 2.5e-4: normalizations of few pixels enlarge rounding.
        assert np.abs(two - one).max() <= 2e-3 * max(np.abs(one).max(), 1e-3)


@pytest.mark.slow
def test_a_training_step_over_two_replicas_with_the_same_images_is_that_of_one(request):
    keras.utils.set_random_seed(0)
    answer, moved = images((96, 160))[..., :1] / 255 * np.ones(5), []
    model = NETWORKS["HRNet"]()
    weights = model.get_weights()
    for replicas in (1, 2):
        if replicas == 2:
            request.getfixturevalue("messages")
        model.set_weights(weights)
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.train_on_batch(images((96, 160)), answer)
        moved.append(model.get_weights())
    for before, one, two in zip(weights, *moved, strict=True):
        # Measured 2.1e-3, where ReLUs change sides.
        assert np.abs(two - one).max() <= 2e-2 * max(np.abs(one - before).max(), 1e-3)


@pytest.mark.slow
def test_a_network_as_deep_as_the_published_ones_waits_a_third_as_often(messages):
    variant = keras_hrnet.Variant("Deep", stage1_blocks=4, modules=(1, 4, 3), blocks=4, **NARROW)
    model = keras_hrnet.HRNet(variant, 5)
    model(images((32, 64)), training=True)
    assert sum(isinstance(layer, BatchNorm) for layer in sublayers(model)) == 306
    # The stem, the first stage, three transitions, the modules of three stages with their fuse layers, and the head.
    assert len(messages) == 2 + 13 + 3 + (8 + 1) + 4 * (8 + 2) + 3 * (8 + 3) + 1


@pytest.mark.slow
def test_pytorch_compiles_a_network_as_one_graph():
    if keras.config.backend() != "torch":
        pytest.skip("only PyTorch has torch.compile")
    import torch

    model, x = NETWORKS["HRNet"](), torch.tensor(images((32, 64)))
    with torch.no_grad():
        compiled = torch.compile(lambda x: model(x, training=False), backend="eager", fullgraph=True)
        # Measured 0: without an optimizing backend, the same operations run.
        np.testing.assert_allclose(compiled(x).numpy(), model(x, training=False).numpy(), rtol=1e-5, atol=1e-5)


def module(block="basic", **options):
    keras.utils.set_random_seed(0)
    layer = HighResolutionModule(1, block=block, data_format="channels_last", **options)
    layer.build([(None, None, None, 4), (None, None, None, 8)])
    return layer


def maps():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(2, 8, 8, 4)).astype("float32"), rng.normal(size=(2, 4, 4, 8)).astype("float32")]


def test_branches_wait_together(messages):
    layer = module()
    layer(maps(), training=True)
    # Both convolutions of both branches, and both convolutions between them.
    assert messages == [12, 12, 12]
    layer(maps(), training=False)
    assert len(messages) == 3


def test_normalizations_that_are_not_trained_do_not_wait(messages):
    layer = module()
    layer.branches[0].blocks[0].convolutions[0].norm.trainable = False
    layer(maps(), training=True)
    assert messages == [8, 12, 12]


def test_a_block_that_overrides_its_call_is_called(messages):
    class Doubled(BasicBlock):
        def call(self, x, training=None):
            return 2 * super().call(x, training=training)

    keras.saving.register_keras_serializable(package="test")(Doubled)
    layer, plain = module(Doubled), module()
    plain.set_weights(layer.get_weights())
    branches = [branch.branches[0](maps()[0], training=True) for branch in (layer, plain)]
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (branches[0], 2 * branches[1])), rtol=1e-5)
    messages.clear()
    layer(maps(), training=True)
    assert messages == [4, 4, 8, 8, 12]


def test_with_rematerialization_each_branch_waits_alone(messages):
    module(remat=True)(maps(), training=True)
    # Some backends run a layer twice, to trace it.
    assert [width for width, _ in itertools.groupby(messages) if width < 12] == [4, 8]


def test_branches_of_different_structure_wait_alone(messages):
    class Uneven(HighResolutionModule):
        def make_branch(self, i, channels):
            return Branch(channels, 1 + i, name=f"branch_{i}", **self.options)

    layer = Uneven(1, data_format="channels_last")
    layer.build([(None, None, None, 4), (None, None, None, 8)])
    layer(maps(), training=True)
    assert messages == [4, 4, 8, 8, 8, 8, 12]


def test_one_replica_computes_one_sequence_after_the_other():
    order = []

    def sequences():
        for name in "ab":
            order.append(name)
            yield [], name

    results = together.together_in_order(sequences(), training=True)
    assert next(results) == "a"
    assert order == ["a"]
    assert list(results) == ["b"]
