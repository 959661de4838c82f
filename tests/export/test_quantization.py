"""Integers: what they keep, which layers they cost most, and which stay in floats for it."""

import sys
import types

import keras
import numpy as np
import pytest

import keras_hrnet.export.quantization
from keras_hrnet.export.comparison import check, compare, reference, relative_error
from keras_hrnet.export.conversion import TFLiteOptions, convert
from keras_hrnet.export.departure import first_departure
from keras_hrnet.export.graph import layer_path, read_graph
from keras_hrnet.export.images import Batch
from keras_hrnet.export.litert import TFLiteModel
from keras_hrnet.export.quantization import calibrate, is_inside, quantize
from keras_hrnet.export.sensitivity import layer_groups, layer_sensitivity, quantize_within_bound

pytestmark = pytest.mark.converts
SIZE = (16, 24)
OPTIONS = TFLiteOptions(SIZE, precision="int8")


def images(number=4):
    return np.random.default_rng(1).integers(0, 256, (number, *SIZE, 3), dtype=np.uint8)


def network(outlier=1.0):
    """Six convolutions; the second gives one channel `outlier` times as much, of which the third takes less."""
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, -1, name="scale")(image)
    for name in ("first", "second", "third", "fourth", "fifth"):
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name=name)(x)
    logits = keras.layers.Conv2D(5, 1, name="last")(x)
    model = keras.Model(image, logits, name="net")
    kernel, bias = model.get_layer("second").get_weights()
    model.get_layer("second").set_weights([kernel * np.r_[outlier, np.ones(7)], bias])
    kernel, bias = model.get_layer("third").get_weights()
    kernel[:, :, 0] /= outlier
    model.get_layer("third").set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def content():
    keras.utils.set_random_seed(0)
    return convert(network(), TFLiteOptions(SIZE))


@pytest.fixture(scope="module")
def ranges(content):
    return calibrate(content, images(), 1)


def test_the_range_of_pixels_is_that_of_the_images(content, ranges):
    *_, name = [name for name in ranges if layer_path(name) == "net/scale"]
    assert ranges[name] == pytest.approx((images().min() / 127.5 - 1, images().max() / 127.5 - 1))
    assert ranges[read_graph(content).inputs[0].name] == (images().min(), images().max())


def test_a_batch_is_filled_up_with_the_first_images():
    content = convert(network(), TFLiteOptions(SIZE, batch_size=3))
    assert calibrate(content, images(4), 3)[read_graph(content).inputs[0].name] == (images().min(), images().max())


@pytest.mark.parametrize(
    ("precision", "kernel", "activation", "bound"),
    [  # measured 0.7 %, 0.6 %, 0.4 %, 0.6 %
        ("dynamic", "int8", "float32", 0.07),
        ("int8", "int8", "int8", 0.06),
        ("int16x8", "int8", "int16", 0.04),
        ("mixed", "int8", "int8", 0.06),
    ],
)
def test_convolutions_compute_in_integers_and_the_borders_in_floats(
    content, ranges, precision, kernel, activation, bound
):
    quantized = quantize(content, precision, None if precision == "dynamic" else ranges)
    graph = read_graph(quantized)
    convolutions = [operator for operator in graph.operators if operator.name == "CONV_2D"]
    assert {(x.inputs[0].dtype, x.inputs[1].dtype) for x in convolutions} == {(activation, kernel)}
    assert {x.dtype for x in (*graph.inputs, *graph.outputs)} == {"float32"}
    assert {x.outputs[0].dtype for x in graph.operators if x.name in ("SUB", "ADD")} == {"float32"}
    wanted = TFLiteModel(content)(images())
    assert 0 < relative_error(TFLiteModel(quantized)(images()), wanted) < bound


def test_weights_have_a_scale_for_each_channel(content, ranges):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(quantize(content, "int8", ranges)))
    operators = read_graph(quantize(content, "int8", ranges)).operators
    kernels = [operator.inputs[1].index for operator in operators if operator.name == "CONV_2D"]
    assert [len(model.subgraphs[0].tensors[i].quantization.scale) for i in kernels] == [8, 8, 8, 8, 8, 5]


def test_layers_stay_in_floats_on_demand(content, ranges):
    def floats(**layers):
        operators = read_graph(quantize(content, "int8", ranges, **layers)).operators
        return [x.layer for x in operators if x.name == "CONV_2D" and x.inputs[1].dtype == "float32"]

    assert len(floats()) == 0
    assert floats(float_layers=("net/second",)) == ["net/second"]
    assert floats(only_layers=("net/second", "net/third")) == ["net/first", "net/fourth", "net/fifth", "net/last"]


def network_of_halves(factor=1):
    """A network whose second layer has two results of the same shape; the second one is multiplied by `factor`."""

    def halve(x):
        first, second = keras.ops.split(x, 2, axis=-1)
        return first, second * factor

    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", name="first")(image)
    halves = keras.layers.Lambda(halve, name="split")(x)
    return keras.Model(image, keras.layers.Conv2D(5, 1, name="last")(keras.ops.concatenate(halves[::-1], axis=-1)))


def test_operators_with_several_outputs_stay_in_floats_too():
    model = network_of_halves()
    content = convert(model, TFLiteOptions(SIZE))
    assert "SPLIT" in [operator.name for operator in read_graph(content).operators]
    quantized = quantize(content, "int8", calibrate(content, images(), 1), only_layers=())
    tensors = [tensor for operator in read_graph(quantized).operators for tensor in operator.outputs]
    assert {tensor.dtype for tensor in tensors} == {"float32"}
    np.testing.assert_array_equal(TFLiteModel(quantized)(images()), TFLiteModel(content)(images()))


def test_a_layer_is_inside_itself_and_what_holds_it():
    assert is_inside("net/stage2/module_0", ("net/stage2",))
    assert is_inside("net/stage2", ("net/stage2",))
    assert not is_inside("net/stage22", ("net/stage2",))


def test_each_layer_is_measured_alone(content, ranges):
    table = layer_sensitivity(content, "int8", ranges, images(1))
    assert {"net/first", "net/second", "net/last"} <= set(table)
    assert list(table.values()) == sorted(table.values(), reverse=True)
    groups = layer_groups(read_graph(content))
    assert groups == [layer for layer in groups if layer in table]


def test_the_worst_layer_is_kept_in_floats_until_the_file_is_close_enough():
    keras.utils.set_random_seed(0)
    model = network(outlier=1e3)
    content = convert(model, TFLiteOptions(SIZE))
    ranges = calibrate(content, images(), 1)
    expected = reference(model, OPTIONS, [Batch(images())])
    whole = compare(TFLiteModel(quantize(content, "int8", ranges)), expected, OPTIONS)
    assert whole.excess > 1
    made, float_layers, sensitivity = quantize_within_bound(content, OPTIONS, ranges, expected)
    assert compare(TFLiteModel(made), expected, OPTIONS).excess <= 1
    # What makes the large values, and what reads them.
    assert set(float_layers) == {"net/second", "net/third"} == set(list(sensitivity)[:2])


def test_a_file_that_fails_names_the_layer_that_departs_first():
    model, other = network(), network()
    weights = model.get_weights()
    other.set_weights([*weights[:2], weights[2] * 1.5, *weights[3:]])
    content, options = convert(other, TFLiteOptions(SIZE)), TFLiteOptions(SIZE)
    assert first_departure(model, convert(model, options), images()[0], options) is None
    expected = reference(model, options, [Batch(images())])
    comparison = compare(TFLiteModel(content), expected, options)
    with pytest.raises(RuntimeError, match=r"The first layer that differs is 'second'"):
        check(comparison, options, lambda: first_departure(model, content, images()[0], options))


def test_each_result_of_a_layer_is_compared_with_its_own_tensor():
    options, image = TFLiteOptions(SIZE), images()[0]
    assert first_departure(network_of_halves(), convert(network_of_halves(), options), image, options) is None
    assert first_departure(network_of_halves(), convert(network_of_halves(1.5), options), image, options) == "split"


@pytest.mark.slow
def test_the_layer_that_departs_first_is_found_in_a_network_of_a_network():
    variant = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    model = keras_hrnet.HRNet(variant, 5, head="hierarchical", scales=(0.5, 1.0), ocr_channels=(16, 8))
    other = keras_hrnet.optimize_for_inference(model)
    kernel = next(weight for weight in other.weights if "transition3" in weight.path and "kernel" in weight.path)
    kernel.assign(-kernel.value)
    options, image = TFLiteOptions((64, 96)), np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    assert first_departure(model, convert(other, options), image, options) == "transition3"


@pytest.mark.slow
def test_a_kernel_that_the_quantizer_cannot_take_is_named(monkeypatch):
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(960, 1, name="wide")(image)
    model = keras.Model(image, keras.layers.Conv2D(1024, 3, padding="same", name="large")(x), name="net")
    content = convert(model, OPTIONS)
    ranges = calibrate(content, images(1), 1)
    with pytest.raises(ValueError, match=r"layer 'net/large' has a kernel of 34 MiB\. Expected at most 32 MiB"):
        quantize(content, "int8", ranges)
    assert quantize(content, "int8", ranges, float_layers=["net/large"])
    # If the quantizer takes it, the limit can go.
    monkeypatch.setattr(keras_hrnet.export.quantization, "LARGEST_KERNEL", 2**30)
    with pytest.raises(ValueError, match="more dimensions than allowed"):
        quantize(content, "int8", ranges)


def test_a_large_kernel_that_stays_in_floats_is_not_refused(monkeypatch):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2DTranspose(5, 2, strides=2, name="large")(image), name="net")
    content = convert(model, OPTIONS)
    ranges = calibrate(content, images(1), 1)
    monkeypatch.setattr(keras_hrnet.export.quantization, "LARGEST_KERNEL", 100)
    with pytest.raises(ValueError, match="layer 'net/large' has a kernel of 0 MiB"):
        quantize(content, "int8", ranges)
    assert quantize(content, "mixed", ranges)


def test_a_missing_quantizer_is_named(monkeypatch):
    for name in ("litert_quantizer", "ai_edge_quantizer"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install keras-hrnet\[export\]"):
        keras_hrnet.export.quantization.quantizer_library()


def test_the_quantizer_is_found_under_its_former_name(monkeypatch):
    former = types.ModuleType("ai_edge_quantizer")
    former.quantizer, former.qtyping = types.ModuleType("quantizer"), types.ModuleType("qtyping")
    monkeypatch.setitem(sys.modules, "litert_quantizer", None)
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", former)
    assert keras_hrnet.export.quantization.quantizer_library() == (former.quantizer, former.qtyping)


def test_layers_in_floats_are_one_rule_however_many(content, ranges, monkeypatch):
    from litert_quantizer import quantizer

    rules = []
    update = quantizer.Quantizer.update_quantization_recipe

    def noted(self, regex, *args, **kwargs):
        rules.append(regex)
        return update(self, regex, *args, **kwargs)

    monkeypatch.setattr(quantizer.Quantizer, "update_quantization_recipe", noted)
    counts = []
    for layers in ((), ("net/first",), ("net/first", "net/second", "net/third", "net/fourth")):
        rules.clear()
        quantize(content, "int8", ranges, float_layers=layers)
        counts.append(len(rules))
    # Each rule is a pattern that is searched for every operator, and compiled anew beyond 512 of them.
    assert counts[0] == counts[1] == counts[2]
