"""Models for inference: the same numbers as the ones that they are made of, without batch normalization."""

import logging

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.layers import BasicBlock, BatchNorm, Branch, ConvNorm, Normalize, PyramidConvolution
from keras_hrnet.models import folding

TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
SHAPE = (2, 35, 49, 3)

CASES = {
    "fcn": {},
    "fcn at stride 4": {"output_stride": 4},
    "fcn with aligned corners": {"align_corners": True},
    "fcn by nearest": {"interpolation": "nearest"},
    "fcn of openseg": {"head_kernel_size": 3},
    "fcn, channels first": {"data_format": "channels_first"},
    "fcn, rematerialized": {"remat": True},
    "ocr": {"head": "ocr", "ocr_channels": (8, 4)},
    "ocr with aligned corners, channels first": {
        "head": "ocr",
        "ocr_channels": (8, 4),
        "align_corners": True,
        "data_format": "channels_first",
    },
    "isa": {"head": "isa", "isa_channels": (8, 4), "isa_block_size": (2, 3)},
    "hierarchical": {"head": "hierarchical", "ocr_channels": (8, 4)},
    "classification": {"head": "classification"},
    "maps": {"head": None},
    "maps, channels first": {"head": None, "data_format": "channels_first"},
}

# What takes long to compile, and is near to the others.
HEAVY = {
    "fcn at stride 4",
    "fcn with aligned corners",
    "fcn of openseg",
    "fcn, rematerialized",
    "ocr with aligned corners, channels first",
    "hierarchical",
    "classification",
    "maps",
    "maps, channels first",
}
FAST = ("fcn", "ocr")
# "fcn" is folded on every backend.
SLOW = [pytest.mark.slow, pytest.mark.once]


def network(num_classes=3, **arguments):
    """Builds a small network whose every weight counts: the first ones of a normalization would hide errors."""
    model = keras_hrnet.HRNet(TINY, num_classes, **{"data_format": "channels_last", **arguments})
    randomize(model)
    return model


def randomize(model):
    generator = np.random.default_rng(1)
    for weight in model.weights:
        name = weight.path.rpartition("/")[2]
        if name in ("gamma", "moving_variance"):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif name in ("beta", "moving_mean", "bias"):
            weight.assign(generator.normal(0, 0.2, weight.shape))


def images(model):
    values = np.random.default_rng(2).uniform(0, 255, SHAPE).astype("float32")
    return values if model.input_shape[-1] == 3 else np.moveaxis(values, -1, 1)


def outputs_of(model):
    return [keras.ops.convert_to_numpy(x) for x in keras.tree.flatten(model(images(model), training=False))]


def assert_equal_but_for_rounding(actual, expected):
    for x, y in zip(actual, expected, strict=True):
        assert x.shape == y.shape
        assert x.dtype == y.dtype
        # Measured on TensorFlow and PyTorch with several seeds: at most 5.4e-5 of the largest value, with attention.
        np.testing.assert_allclose(x, y, atol=5.4e-4 * abs(y).max(), rtol=0)


@pytest.mark.parametrize(
    "name",
    [
        "fcn",
        pytest.param("ocr", marks=pytest.mark.compiles),
        *(pytest.param(x, marks=pytest.mark.heavy if x in HEAVY else SLOW) for x in CASES if x not in FAST),
    ],
)
def test_an_optimized_network_gives_the_same_without_batch_normalization(name, sublayers):
    model = network(**CASES[name])
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    expected = outputs_of(model)

    optimized = keras_hrnet.optimize_for_inference(model)

    assert optimized.name == model.name
    assert optimized.input_shape == model.input_shape
    assert optimized.output_shape == model.output_shape
    assert_equal_but_for_rounding(outputs_of(optimized), expected)
    assert not any(isinstance(layer, BatchNorm) for layer in sublayers(optimized))
    assert not any(isinstance(layer, Normalize) and layer.divides for layer in sublayers(optimized))
    assert not optimized.trainable_weights
    # The original is what it was, and shares nothing.
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)
    assert len(model.trainable_weights) > len(optimized.weights)
    assert not {id(layer) for layer in sublayers(model)} & {id(layer) for layer in sublayers(optimized)}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("fcn", marks=pytest.mark.slow),
        *(pytest.param(x, marks=pytest.mark.heavy) for x in ("ocr", "maps", "hierarchical")),
    ],
)
def test_a_saved_optimized_network_computes_the_same_to_the_last_bit(name, tmp_path):
    optimized = keras_hrnet.optimize_for_inference(network(**CASES[name]))
    optimized.save(tmp_path / "optimized.keras")
    loaded = keras.models.load_model(tmp_path / "optimized.keras")
    for x, y in zip(outputs_of(loaded), outputs_of(optimized), strict=True):
        np.testing.assert_array_equal(x, y)


def test_each_convolution_keeps_a_kernel_and_a_bias():
    model = network()
    optimized = keras_hrnet.optimize_for_inference(model)
    normalizations = sum(weight.path.endswith("gamma") for weight in model.weights)
    head = next(layer for layer in optimized.layers if isinstance(layer, PyramidConvolution))
    # All convolutions but the last have a normalization; the head's first has a kernel more for each map by itself.
    assert len(optimized.weights) == 2 * normalizations + 2 + len(head.convolutions)
    assert optimized.get_layer("last_layer_0") is head


@pytest.mark.slow
@pytest.mark.compiles
@pytest.mark.parametrize("num_joined", [*(pytest.param(n, marks=pytest.mark.heavy) for n in (1, 2, 3)), 4])
def test_a_head_may_join_any_number_of_maps_before_it_convolves_them(num_joined, monkeypatch):
    model = network(align_corners=True)
    monkeypatch.setitem(keras_hrnet.models.inference.NUM_JOINED, keras.config.backend(), num_joined)
    optimized = keras_hrnet.optimize_for_inference(model)
    assert optimized.get_layer("last_layer_0").num_joined == num_joined
    assert_equal_but_for_rounding(outputs_of(optimized), outputs_of(model))


@pytest.fixture(params=[False, True] if keras.config.backend() == "tensorflow" else [False])
def onednn(request, monkeypatch):
    """Whether TensorFlow is taken to compute with oneDNN, which the processor decides otherwise."""
    monkeypatch.setattr(keras_hrnet.models.network, "uses_onednn", lambda: request.param)
    return request.param


@pytest.mark.parametrize("shape", [SHAPE, pytest.param((1, 64, 64, 3), marks=pytest.mark.heavy)])
def test_predict_gives_what_a_call_gives(shape, onednn):
    images = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    fast = keras_hrnet.optimize_for_inference(network())
    called = keras.ops.convert_to_numpy(fast(images, training=False))
    np.testing.assert_allclose(fast.predict(images, verbose=0), called, rtol=1e-5, atol=1e-5 * np.abs(called).max())


@pytest.mark.slow
@pytest.mark.compiles
def test_new_weights_count_after_a_prediction(tmp_path, onednn):
    fast = keras_hrnet.optimize_for_inference(network())
    images = np.ones(SHAPE, "float32")
    before = fast.predict_on_batch(images)
    fast.save_weights(tmp_path / "first.weights.h5")
    fast.set_weights([-weight for weight in fast.get_weights()])
    expected = keras.ops.convert_to_numpy(fast(images, training=False))
    assert not np.allclose(expected, before)
    np.testing.assert_allclose(fast.predict_on_batch(images), expected, atol=1e-5 * np.abs(expected).max())
    fast.load_weights(tmp_path / "first.weights.h5")
    np.testing.assert_array_equal(fast.predict_on_batch(images), before)


@pytest.mark.slow
@pytest.mark.once
def test_weights_are_constants_for_onednn_alone(onednn):
    fast = keras_hrnet.optimize_for_inference(network())
    images = np.ones(SHAPE, "float32")
    before = fast.predict_on_batch(images)
    for weight in fast.weights:
        weight.assign(-weight)
    assert np.array_equal(fast.predict_on_batch(images), before) == onednn
    fast.make_predict_function(force=True)
    assert not np.array_equal(fast.predict_on_batch(images), before)


@pytest.mark.heavy
def test_a_half_precision_network_gives_float32_logits_that_are_near():
    model = network(dtype="mixed_bfloat16")
    optimized = keras_hrnet.optimize_for_inference(model)
    (actual,), (expected,) = outputs_of(optimized), outputs_of(model)
    assert actual.dtype == expected.dtype == "float32"
    np.testing.assert_allclose(actual, expected, atol=0.2 * abs(expected).max())  # measured 1.9e-2 of it


@pytest.mark.slow
@pytest.mark.compiles
@pytest.mark.parametrize(
    ("policy", "weights"),
    [("bfloat16", "bfloat16"), pytest.param("mixed_bfloat16", "float32", marks=pytest.mark.heavy)],
)
def test_a_float32_network_computes_in_bfloat16_on_request(policy, weights, sublayers):
    model = network(**CASES["fcn"])
    optimized = keras_hrnet.optimize_for_inference(model, dtype=policy)
    assert {weight.dtype for weight in optimized.weights} == {weights}
    assert {layer.compute_dtype for layer in sublayers(optimized) if layer.weights and layer is not optimized} == {
        "bfloat16"
    }
    assert not any(isinstance(layer, BatchNorm) for layer in sublayers(optimized))
    (actual,), (expected,) = outputs_of(optimized), outputs_of(model)
    assert actual.dtype == "float32"
    assert 0 < np.max(np.abs(actual - expected)) < 0.2 * abs(expected).max()  # measured 3.0e-2 of it at most


@pytest.mark.parametrize("dtype", ["int8", "brain float", 16])
def test_a_dtype_that_is_no_policy_of_floats_is_refused(dtype):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="Expected a dtype policy that computes in one of float32, float16, bfloat16"):
        keras_hrnet.optimize_for_inference(model, dtype=dtype)


@pytest.mark.once
@pytest.mark.slow
def test_an_optimized_hierarchical_network_runs_at_other_scales():
    model = network(**CASES["hierarchical"])
    optimized = keras_hrnet.optimize_for_inference(model)
    scales = (0.5, 1.0, 2.0)
    expected = outputs_of(keras_hrnet.with_scales(model, scales))
    assert_equal_but_for_rounding(outputs_of(keras_hrnet.with_scales(optimized, scales)), expected)


def test_the_logits_before_they_are_enlarged_are_found_in_an_optimized_network():
    from keras_hrnet.export.conversion import TFLiteOptions

    model = network()
    optimized = keras_hrnet.optimize_for_inference(model)
    options = TFLiteOptions(image_size=SHAPE[1:3], output="logits_stride4")
    (actual, _), (expected, _) = options.logits_model(optimized), options.logits_model(model)
    assert actual.output_shape == (None, None, None, 3)
    assert_equal_but_for_rounding(outputs_of(actual), outputs_of(expected))


def test_a_network_inside_another_model_is_folded_and_other_layers_are_copied(sublayers):
    inner = network(**CASES["ocr"])
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(3, 1, data_format="channels_last")(image)
    x = keras.layers.BatchNormalization()(inner(x * 2.0))
    model = keras.Model(image, keras.layers.Softmax()(x))
    randomize(model)
    optimized = keras_hrnet.optimize_for_inference(model)
    assert_equal_but_for_rounding(outputs_of(optimized), outputs_of(model))
    norms = [layer for layer in sublayers(optimized) if isinstance(layer, keras.layers.BatchNormalization)]
    assert [type(layer) for layer in norms] == [keras.layers.BatchNormalization]


@keras.saving.register_keras_serializable(package="tests")
class ScaledBlock(BasicBlock):
    """A block with a weight of its own, beside those of its convolutions."""

    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.5), name="scale")

    def call(self, x, training=None):
        return self.scale * super().call(x, training=training)


def test_a_block_of_a_user_keeps_weights_that_are_not_folded():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, Branch(3, 2, ScaledBlock, data_format="channels_last")(image))
    randomize(model)
    optimized = keras_hrnet.optimize_for_inference(model)
    assert sum("scale" in weight.path for weight in optimized.weights) == 2
    assert not any("gamma" in weight.path for weight in optimized.weights)
    assert_equal_but_for_rounding(outputs_of(optimized), outputs_of(model))


def test_an_optimized_network_and_one_without_normalization_are_only_copied():
    once = keras_hrnet.optimize_for_inference(network())
    twice = keras_hrnet.optimize_for_inference(once)
    for x, y in zip(outputs_of(twice), outputs_of(once), strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_sequential_model_is_folded_too(sublayers):
    model = keras.Sequential([keras.Input(SHAPE[1:]), ConvNorm(4, 3), ConvNorm(2, 1)])
    optimized = keras_hrnet.optimize_for_inference(model)
    assert_equal_but_for_rounding(outputs_of(optimized), outputs_of(model))
    assert not any(isinstance(layer, BatchNorm) for layer in sublayers(optimized))


def test_the_difference_is_logged(caplog):
    with caplog.at_level(logging.INFO, logger="keras_hrnet"):
        keras_hrnet.optimize_for_inference(network())
    assert "'Tiny' without 54 normalizations differs by" in caplog.text


class Spy(keras.layers.Layer):
    """Notes what it is called with."""

    seen = []

    def call(self, x):
        self.seen.append(x)
        return x


def test_jax_compiles_both_networks_as_a_whole_to_compare_them():
    if keras.config.backend() != "jax":
        pytest.skip("only JAX compiles single operations")
    import jax

    image = keras.Input((8, 8, 3))
    model = keras.Model(image, Spy()(image))
    Spy.seen.clear()
    keras_hrnet.optimize_for_inference(model)
    computed = [x for x in Spy.seen if not isinstance(x, keras.KerasTensor)]
    assert len(computed) >= 2
    assert all(isinstance(x, jax.core.Tracer) for x in computed)


@pytest.mark.parametrize("error", [0.1, np.nan])
def test_a_wrong_folding_is_refused(error, monkeypatch):
    right = folding.folded_weights

    def wrong(layer):
        kernel, bias = right(layer)
        return kernel, bias + error

    monkeypatch.setattr(folding, "folded_weights", wrong)
    with pytest.raises(RuntimeError, match=r"differs by .* of the largest output. Expected at most .* Look for"):
        keras_hrnet.optimize_for_inference(network())


@pytest.mark.parametrize("model", [None, keras.layers.Dense(1), keras.Model(), keras.Sequential()])
def test_what_is_no_functional_model_is_refused(model):
    with pytest.raises(TypeError, match=r"Expected a functional keras\.Model"):
        keras_hrnet.optimize_for_inference(model)


def test_folded_weights_are_those_worked_by_hand():
    layer = keras_hrnet.layers.ConvNorm(1, 1, use_bias=True, data_format="channels_last")
    layer.build((None, None, None, 1))
    for weight, value in zip(
        (layer.conv.kernel, layer.conv.bias, layer.norm.gamma, layer.norm.beta, layer.norm.moving_mean),
        (3.0, 5.0, 2.0, 7.0, 1.0),
        strict=True,
    ):
        weight.assign(np.full(weight.shape, value))
    layer.norm.moving_variance.assign([4 - layer.norm.epsilon])
    kernel, bias = folding.folded_weights(layer)
    # 2 * (3 * x + 5 - 1) / 2 + 7
    np.testing.assert_allclose(kernel.ravel(), [3], rtol=1e-6)
    np.testing.assert_allclose(bias, [11], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.compiles
def test_an_optimized_network_equals_the_published_code(golden_case, published_file):
    weights, arrays = golden_case("seg_w18_small_v2")
    model = keras_hrnet.HRNetW18SmallV2(output_stride=4)
    keras_hrnet.load_checkpoint(model, published_file(weights))
    optimized = keras_hrnet.optimize_for_inference(model)
    sizes = [key.removeprefix("image_") for key in arrays if key.startswith("image_")]
    for size in sizes:
        expected = arrays[f"logits_{size}"]
        actual = keras.ops.convert_to_numpy(optimized(arrays[f"image_{size}"]))
        # Measured on TensorFlow and PyTorch: 7.6e-7 of the largest value.
        np.testing.assert_allclose(actual, expected, atol=7.6e-6 * abs(expected).max())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_a_network_in_half_precision_becomes_one_in_float32(policy, small_network, request):
    before = keras.config.dtype_policy()
    request.addfinalizer(lambda: keras.config.set_dtype_policy(before))
    keras.config.set_dtype_policy(policy)
    network = small_network(3)
    keras.config.set_dtype_policy(before)
    optimized = keras_hrnet.optimize_for_inference(network, dtype="float32")
    assert {layer.compute_dtype for layer in optimized.layers} == {"float32"}
    assert {weight.dtype for weight in optimized.weights} == {"float32"}
