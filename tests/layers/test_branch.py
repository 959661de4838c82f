"""Blocks of other kinds in branches, modules and stages."""

import keras
import numpy as np
import pytest

from keras_hrnet.layers import BasicBlock, Branch, ConvNorm, FoldableLayer, HighResolutionModule, Stage, Transition

MAP = (2, 4, 6, 8)


@keras.saving.register_keras_serializable(package="tests")
class Gate(FoldableLayer):
    """A block that folds, and has a weight of its own."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.convolution = ConvNorm(filters, 3, name="convolution", **self.options)

    def build(self, input_shape):
        self.convolution.build(input_shape)
        self.share = self.add_weight(shape=(), initializer="ones", name="share")

    def call(self, x, training=None):
        return self.share * self.convolution(x, training=training)


@keras.saving.register_keras_serializable(package="tests")
class Depthwise(keras.layers.Layer):
    """A block of Keras's layers alone: it takes neither `folded` nor `training`, and announces no shape."""

    def __init__(self, filters, data_format=None, **kwargs):
        super().__init__(**kwargs)
        options = {"padding": "same", "data_format": data_format, "dtype": self.dtype_policy}
        self.depthwise = keras.layers.DepthwiseConv2D(3, **options)
        self.pointwise = keras.layers.Conv2D(filters, 1, **options)

    def build(self, input_shape):
        self.depthwise.build(input_shape)
        self.pointwise.build(self.depthwise.compute_output_shape(input_shape))

    def call(self, x):
        return self.pointwise(self.depthwise(x))


@keras.saving.register_keras_serializable(package="tests")
class Wide(Depthwise):
    """A block that widens."""

    expansion = 2

    def __init__(self, filters, **kwargs):
        super().__init__(2 * filters, **kwargs)


class Unregistered(Depthwise):
    pass


def images():
    return np.random.default_rng(0).uniform(-1, 1, MAP).astype("float32")


def network(block, remat=False, **options):
    """A functional model of a branch and a stage, with all maps of the stage as its outputs."""
    options["data_format"] = "channels_last"
    image = keras.Input(MAP[1:])
    x = Branch(4, 2, block, remat=remat, **options)(image)
    maps = Transition((8, 16), **options)([x])
    return keras.Model(image, Stage(1, 1, block=block, remat=remat, **options)(maps))


def randomize(model):
    generator = np.random.default_rng(1)
    model.set_weights([generator.uniform(0.2, 0.6, weight.shape) for weight in model.weights])


@pytest.mark.parametrize("block", [BasicBlock, Gate, Wide])
def test_a_network_of_any_block_is_saved_and_loaded(block, tmp_path):
    model = network(block)
    randomize(model)
    model.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    for ours, expected in zip(loaded.predict_on_batch(images()), model.predict_on_batch(images()), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert loaded.layers[1].block == f"{'keras_hrnet' if block is BasicBlock else 'tests'}>{block.__name__}"
    assert type(loaded.layers[-1].modules_in_order[0].branches[1].blocks[0]) is block


@pytest.mark.parametrize(
    ("block", "policy", "remat"), [(Gate, "float32", False), (Wide, "mixed_bfloat16", True)], ids=str
)
def test_every_weight_of_any_block_is_trained(block, policy, remat):
    model = network(block, remat, dtype=policy)
    randomize(model)
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(images(), [np.zeros((2, *shape[1:]), "float32") for shape in model.output_shape])
    for weight, value in zip(model.weights, before, strict=True):
        assert np.any(keras.ops.convert_to_numpy(weight) != value), weight.path


def test_a_branch_widens_by_the_expansion_of_its_block():
    for block, channels in ((Gate, 4), (Wide, 8), ("bottleneck", 16)):
        branch = Branch(4, 2, block, data_format="channels_first")
        assert branch.compute_output_shape((2, 3, 5, 6)) == (2, channels, 5, 6)
        if keras.config.backend() != "tensorflow" or block != Wide:  # TensorFlow's CPU has no such convolution.
            assert tuple(branch(np.zeros((2, 3, 5, 6), "float32")).shape) == (2, channels, 5, 6)


def test_a_module_keeps_the_widths_of_its_maps_whatever_its_block():
    module = HighResolutionModule(1, block="bottleneck", data_format="channels_last")
    module.build([(2, 4, 6, 8), (2, 2, 3, 16)])
    assert [branch.filters for branch in module.branches] == [2, 4]


def test_a_width_that_a_block_cannot_give_is_refused():
    module = HighResolutionModule(1, block="bottleneck", data_format="channels_last")
    with pytest.raises(ValueError, match=r"map of 6 channels with block='bottleneck'\. Expected a multiple of .* 4\."):
        module.build([(2, 4, 6, 6)])


def test_only_a_block_that_takes_folded_is_folded():
    folding, plain = (network(block, folded=True).layers[1].blocks[0] for block in (Gate, Depthwise))
    assert folding.folded and folding.convolution.norm is None
    assert not hasattr(plain, "folded")


def test_a_config_of_a_time_with_one_kind_of_block_is_read():
    config = Stage(2, 1).get_config()
    assert config.pop("block") == "basic"
    assert Stage.from_config(config).block == "basic"


def test_a_block_may_be_named_as_it_is_registered():
    assert type(Branch(4, 1, "tests>Gate").blocks[0]) is Gate
    with keras.saving.custom_object_scope({"Unregistered": Unregistered}):
        assert Branch(4, 1, Unregistered).block == "Unregistered"


@pytest.mark.parametrize("block", ["dense", "tests>Dense", Unregistered, None])
@pytest.mark.parametrize("make", [Branch, Stage, lambda n, m, block: HighResolutionModule(m, block=block)])
def test_an_unknown_block_is_refused(make, block):
    with pytest.raises(ValueError, match=r"Received block=.*\. Expected one of \['basic', .*\], or a layer"):
        make(4, 1, block=block)
