"""What must be true of every layer, alone."""

import re

import keras
import numpy as np
import pytest

from keras_hrnet import layers

PYRAMID = ((2, 9, 13, 4), (2, 5, 7, 8), (2, 3, 4, 16))
LITE_PYRAMID = ((2, 8, 12, 16), (2, 4, 6, 32))  # Half of the channels are weighted, and a quarter of these is hidden.
SINGLE = (2, 9, 13, 4)
IMAGE = (2, 33, 49, 3)

CASES = {
    "ConvNorm": (lambda **k: layers.ConvNorm(6, 3, strides=2, **k), SINGLE),
    "ConvNorm with a bias": (lambda **k: layers.ConvNorm(6, 1, activation=None, use_bias=True, **k), SINGLE),
    "ConvNorm, folded": (lambda **k: layers.ConvNorm(6, 3, strides=2, folded=True, **k), SINGLE),
    "ConvNorm with GELU": (lambda **k: layers.ConvNorm(6, 1, activation="gelu", use_bias=True, **k), SINGLE),
    "DepthwiseConvolution": (lambda **k: layers.DepthwiseConvolution(3, padding="same", **k), SINGLE),
    "DepthwiseConvolution with a stride": (
        lambda **k: layers.DepthwiseConvolution(3, strides=2, margin=1, **k),
        SINGLE,
    ),
    "DepthwiseConvNorm": (lambda **k: layers.DepthwiseConvNorm(3, use_bias=True, activation="gelu", **k), SINGLE),
    "DepthwiseConvNorm with a stride": (lambda **k: layers.DepthwiseConvNorm(3, strides=2, **k), SINGLE),
    "DepthwiseConvNorm, folded": (lambda **k: layers.DepthwiseConvNorm(3, strides=2, folded=True, **k), SINGLE),
    "Convolution": (lambda **k: layers.Convolution(6, 3, padding="same", **k), SINGLE),
    "Convolution with a stride": (lambda **k: layers.Convolution(6, 3, strides=2, margin=1, **k), SINGLE),
    "Convolution, strided by Keras": (lambda **k: layers.Convolution(6, 3, strides=2, padding="same", **k), SINGLE),
    "Convolution of a map as wide as it has filters": (
        lambda **k: layers.Convolution(13, 3, padding="same", activation="relu", bias_initializer="ones", **k),
        SINGLE,
    ),
    "BasicBlock": (lambda **k: layers.BasicBlock(4, **k), SINGLE),
    "BasicBlock with another width": (lambda **k: layers.BasicBlock(6, **k), SINGLE),
    "Bottleneck": (lambda **k: layers.Bottleneck(2, **k), SINGLE),
    "Branch": (lambda **k: layers.Branch(4, 2, **k), SINGLE),
    "Branch of bottlenecks": (lambda **k: layers.Branch(4, 2, "bottleneck", **k), SINGLE),
    "FuseLayer": (lambda **k: layers.FuseLayer(**k), PYRAMID),
    "FuseLayer by nearest": (lambda **k: layers.FuseLayer("nearest", **k), PYRAMID),
    "FuseLayer with aligned corners": (lambda **k: layers.FuseLayer(align_corners=True, **k), PYRAMID),
    "SeparableFuse": (lambda **k: layers.SeparableFuse(**k), PYRAMID),
    "SeparableFuse, folded": (lambda **k: layers.SeparableFuse(folded=True, **k), PYRAMID),
    "WindowAttention": (lambda **k: layers.WindowAttention(2, 4, **k), SINGLE),
    "FeedForward": (lambda **k: layers.FeedForward(2, **k), SINGLE),
    "FeedForward, folded": (lambda **k: layers.FeedForward(2, folded=True, **k), SINGLE),
    "TransformerBlock": (lambda **k: layers.TransformerBlock(2, 3, **k), SINGLE),
    "TransformerBranch": (lambda **k: layers.TransformerBranch(2, 3, (0.0, 0.0), **k), SINGLE),
    "TransformerModule": (lambda **k: layers.TransformerModule((1, 2, 4), 3, (0.0,), **k), PYRAMID),
    "TransformerStage": (lambda **k: layers.TransformerStage((1, 2), 3, ((0.0,), (0.0,)), **k), PYRAMID[:2]),
    "DepthwiseBottleneck": (lambda **k: layers.DepthwiseBottleneck(4, **k), SINGLE),
    "HighResolutionModule": (lambda **k: layers.HighResolutionModule(1, **k), PYRAMID),
    "HighResolutionModule of bottlenecks": (
        lambda **k: layers.HighResolutionModule(1, block="bottleneck", **k),
        ((2, 9, 13, 16), (2, 5, 7, 32)),  # A quarter of the channels is inside: of one alone, nothing may be left.
    ),
    "Stage": (lambda **k: layers.Stage(2, 1, **k), PYRAMID[:2]),
    "Transition": (lambda **k: layers.Transition((4, 6, 8), **k), PYRAMID[:2]),
    "Stem": (lambda **k: layers.Stem(8, **k), IMAGE),
    "Normalize": (lambda **k: layers.Normalize(**k), IMAGE),
    "Resize": (lambda **k: layers.Resize(**k), (PYRAMID[2], PYRAMID[0])),
    "ResizeConcatenate": (lambda **k: layers.ResizeConcatenate(**k), PYRAMID),
    "SpatialGather": (lambda **k: layers.SpatialGather(**k), (SINGLE, (2, 9, 13, 5))),
    "ObjectAttention": (lambda **k: layers.ObjectAttention(3, **k), (SINGLE, (2, 5, 1, 4))),
    "ObjectContext": (lambda **k: layers.ObjectContext(6, 3, 0.1, **k), (SINGLE, (2, 5, 1, 4))),
    "SelfAttention": (lambda **k: layers.SelfAttention(6, 3, 5, **k), SINGLE),
    "InterlacedAttention": (lambda **k: layers.InterlacedAttention(6, 3, 5, (2, 3), **k), SINGLE),
    "InterlacedContext": (lambda **k: layers.InterlacedContext(6, 3, 5, (2, 3), 0.1, **k), SINGLE),
    "Rescale": (lambda **k: layers.Rescale(0.5, **k), IMAGE),
    "ScaleAttention": (lambda **k: layers.ScaleAttention(6, **k), SINGLE),
    "ScaleBlend": (lambda **k: layers.ScaleBlend(True, **k), (SINGLE, (2, 5, 7, 4), (2, 5, 7, 1))),
    "ScaleBlend downwards": (lambda **k: layers.ScaleBlend(False, **k), ((2, 5, 7, 4), SINGLE, (2, 9, 13, 1))),
    "Branch, folded": (lambda **k: layers.Branch(4, 2, folded=True, **k), SINGLE),
    "FuseLayer, folded": (lambda **k: layers.FuseLayer(folded=True, **k), PYRAMID),
    "Stage, folded": (lambda **k: layers.Stage(2, 1, folded=True, **k), PYRAMID[:2]),
    "Transition, folded": (lambda **k: layers.Transition((4, 6, 8), folded=True, **k), PYRAMID[:2]),
    "Stem, folded": (lambda **k: layers.Stem(8, folded=True, **k), IMAGE),
    "ObjectContext, folded": (lambda **k: layers.ObjectContext(6, 3, 0.1, folded=True, **k), (SINGLE, (2, 5, 1, 4))),
    "InterlacedContext, folded": (
        lambda **k: layers.InterlacedContext(6, 3, 5, (2, 3), 0.1, folded=True, **k),
        SINGLE,
    ),
    "ScaleAttention, folded": (lambda **k: layers.ScaleAttention(6, folded=True, **k), SINGLE),
    "SeparableConvNorm": (lambda **k: layers.SeparableConvNorm(6, 2, **k), SINGLE),
    "ChannelShuffle": (lambda **k: layers.ChannelShuffle(**k), (SINGLE, SINGLE, SINGLE)),
    "ShuffleUnit": (lambda **k: layers.ShuffleUnit(16, **k), LITE_PYRAMID[0]),
    "SpatialWeighting": (lambda **k: layers.SpatialWeighting(2, **k), LITE_PYRAMID[0]),
    "CrossResolutionWeighting": (lambda **k: layers.CrossResolutionWeighting(4, **k), PYRAMID),
    "ConditionalChannelWeighting": (lambda **k: layers.ConditionalChannelWeighting(4, **k), LITE_PYRAMID),
    "LiteStem": (lambda **k: layers.LiteStem(8, **k), IMAGE),
    "LiteTransition": (lambda **k: layers.LiteTransition((6, 8, 10), **k), PYRAMID[:2]),
    "LiteFuse": (lambda **k: layers.LiteFuse(**k), PYRAMID),
    "LiteModule": (lambda **k: layers.LiteModule(1, **k), LITE_PYRAMID),
    "LiteModule of shuffle units": (lambda **k: layers.LiteModule(2, "shuffle", **k), LITE_PYRAMID),
    "IterativeUpsampling": (lambda **k: layers.IterativeUpsampling(**k), PYRAMID),
    "LiteStem, folded": (lambda **k: layers.LiteStem(8, folded=True, **k), IMAGE),
    "LiteModule, folded": (lambda **k: layers.LiteModule(1, folded=True, **k), LITE_PYRAMID),
    "LiteModule of shuffle units, folded": (
        lambda **k: layers.LiteModule(2, "shuffle", folded=True, **k),
        PYRAMID,
    ),
    "PyramidConvolution": (lambda **k: layers.PyramidConvolution(6, 2, **k), PYRAMID),
}


# Layers that are made of others: JAX takes seconds to compile each, and has them in whole networks.
COMPOSED = {"TransformerBranch", "TransformerModule", "TransformerStage", "HighResolutionModule", "Stage", "LiteModule"}
NAMES = [pytest.param(x, marks=pytest.mark.compiles if re.split(" of |, ", x)[0] in COMPOSED else ()) for x in CASES]
# What is folded is not trained: without normalization, whole channels may give nothing.
TRAINED = [name for name in NAMES if not name.values[0].endswith(", folded")]


@pytest.fixture(params=NAMES)
def case(request):
    return CASES[request.param]


def inputs_of(shapes, data_format="channels_last"):
    generator = np.random.default_rng(0)

    def array(shape):
        values = generator.uniform(0, 1, shape).astype("float32")
        return values if data_format == "channels_last" else np.moveaxis(values, -1, 1)

    return [array(shape) for shape in shapes] if isinstance(shapes[0], tuple) else array(shapes)


def as_arrays(outputs):
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")) for x in outputs]


def model_of(layer, inputs):
    symbolic = [keras.Input(x.shape[1:]) for x in inputs] if isinstance(inputs, list) else keras.Input(inputs.shape[1:])
    return keras.Model(symbolic, layer(symbolic))


def traced(layer, inputs):
    """Calls a layer; on JAX only as far as its dtypes tell, as it would compile each operation."""
    if keras.config.backend() != "jax":
        return layer(inputs)
    import jax

    model_of(layer, inputs)
    return jax.eval_shape(layer, inputs)


def randomize(layer):
    generator = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(generator.uniform(0.5, 1.0, weight.shape))


def test_both_data_formats_give_the_same_in_the_shape_that_is_announced(case):
    make, shapes = case
    outputs, weights = {}, []
    for data_format in ("channels_last", "channels_first"):
        layer, inputs = make(data_format=data_format), inputs_of(shapes, data_format)
        shape = [x.shape for x in inputs] if isinstance(inputs, list) else inputs.shape
        layer.build(shape)
        randomize(layer)
        weights.append([tuple(weight.shape) for weight in layer.weights])
        outputs[data_format] = as_arrays(layer(inputs))
        announced = layer.compute_output_shape(shape)
        announced = announced if isinstance(announced, list) else [announced]
        assert [tuple(shape) for shape in announced] == [x.shape for x in outputs[data_format]]
    assert weights[0] == weights[1]
    for x, y in zip(outputs["channels_first"], outputs["channels_last"], strict=True):
        np.testing.assert_allclose(np.moveaxis(x, 1, -1), y, rtol=2e-5, atol=1e-5)


@pytest.mark.compiles
def test_a_saved_layer_has_its_config_and_computes_the_same_to_the_last_bit(case, tmp_path):
    make, shapes = case
    inputs = inputs_of(shapes)
    layer = make(data_format="channels_last")
    model = model_of(layer, inputs)
    randomize(model)
    model.save(tmp_path / "layer.keras")
    loaded = keras.models.load_model(tmp_path / "layer.keras")
    assert loaded.get_layer(layer.name).get_config() == layer.get_config()
    for x, y in zip(as_arrays(loaded(inputs)), as_arrays(model(inputs)), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.heavy)])
def test_a_dtype_policy_reaches_every_layer_inside(case, policy, sublayers):
    make, shapes = case
    layer, inputs = make(data_format="channels_last", dtype=policy), inputs_of(shapes)
    outputs = traced(layer, inputs)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    compute_dtype = keras.DTypePolicy(policy).compute_dtype
    assert {keras.backend.standardize_dtype(x.dtype) for x in outputs} <= {compute_dtype, "float32"}
    for inner in sublayers(layer):
        assert inner.dtype_policy.name == policy, inner.name
        assert {weight.dtype for weight in inner.weights} <= {"float32"}


@pytest.mark.parametrize("name", TRAINED)
def test_every_weight_moves_in_one_training_step(name):
    make, shapes = CASES[name]
    inputs = inputs_of(shapes)
    model = model_of(make(data_format="channels_last"), inputs)
    if not model.weights:
        return
    draw, batch = np.random.default_rng(2), (inputs[0] if isinstance(inputs, list) else inputs).shape[:1]
    targets = [draw.uniform(0, 1, (*batch, *x.shape[1:])).astype("float32") for x in model.outputs]
    targets = targets if len(targets) > 1 else targets[0]
    # TensorFlow would take seconds to trace and compile the step of one layer; whole networks are traced elsewhere.
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=keras.config.backend() == "tensorflow")
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    model.fit(inputs, targets, verbose=0)
    for weight, value in zip(model.weights, before, strict=True):
        assert np.any(keras.ops.convert_to_numpy(weight) != value), weight.path
