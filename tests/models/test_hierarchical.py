import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant, layers, with_scales
from keras_hrnet.models.scales import hierarchical_model

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def build(scales=(0.5, 1.0), data_format="channels_last", input_shape=(None, None, 3)):
    """Puts the scales around one convolution at stride 4: JAX would compile each layer of HRNet for each scale."""
    image = keras.Input((None, None, 3))
    x = layers.Normalize(data_format="channels_last")(image)
    x = layers.Stem(8, data_format="channels_last")(x)
    x = layers.ResizeConcatenate(data_format="channels_last", name="concatenate")([x])
    logits, auxiliary = (keras.layers.Conv2D(5, 1, data_format="channels_last")(x) for _ in range(2))
    network = keras.Model(image, [logits, auxiliary, x], name="network")
    attention = layers.ScaleAttention(256, data_format="channels_last", name="scale_attn")
    if data_format == "channels_first":
        input_shape = (3, None, None)
    return hierarchical_model(network, attention, scales, input_shape, data_format, "Small")


def hrnet(**options):
    return keras_hrnet.HRNet(TINY, 5, head="hierarchical", ocr_channels=(8, 4), **options)


def images(*size):
    return np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype("uint8")


def logits(model, x):
    return keras.ops.convert_to_numpy(model(x))


def as_number(x):
    return keras.ops.convert_to_numpy(x).item()


@pytest.fixture(scope="module")
def model():
    return build()


def test_one_network_serves_all_scales(model):
    wider = with_scales(model, (0.5, 1.0, 2.0))
    assert wider.get_layer("network") is model.get_layer("network")
    assert {id(weight) for weight in wider.weights} == {id(weight) for weight in model.weights}
    assert wider.output_shape == model.output_shape == (None, None, None, 5)
    x = images(35, 49)
    assert not np.allclose(logits(wider, x), logits(model, x))
    np.testing.assert_array_equal(logits(with_scales(wider, (0.5, 1.0)), x), logits(model, x))
    np.testing.assert_array_equal(logits(with_scales(wider, [1.0, 0.5]), x), logits(model, x))


def test_at_one_scale_it_is_the_network_alone_and_keeps_its_weights(model):
    single = with_scales(model, (1.0,))
    assert len(single.weights) == len(model.weights)
    x = images(35, 49)
    alone = layers.resize(model.get_layer("network")(x)[0], (35, 49))
    np.testing.assert_allclose(logits(single, x), keras.ops.convert_to_numpy(alone), atol=1e-6)


@pytest.mark.compiles
def test_attention_that_trusts_a_scale_alone_gives_its_logits(model):
    x = images(34, 50)
    half = layers.resize(keras.ops.cast(x, "float32"), (17, 25))
    at_half = layers.resize(model.get_layer("network")(half)[0], (17, 25))
    at_half = keras.ops.convert_to_numpy(layers.resize(at_half, (34, 50)))
    at_one = logits(with_scales(model, (1.0,)), x)
    attention = model.get_layer("scale_attn")
    norm, kernel = attention.conv1.norm, attention.conv2.kernel
    before = norm.beta.numpy() if hasattr(norm.beta, "numpy") else np.array(norm.beta)
    kernel_before = keras.ops.convert_to_numpy(kernel)
    norm.beta.assign(np.full(norm.beta.shape, 1000.0))
    for sign, expected in ((1.0, at_half), (-1.0, at_one)):
        kernel.assign(np.full(kernel.shape, sign))
        np.testing.assert_allclose(logits(model, x), expected, atol=1e-5)
    norm.beta.assign(before)
    kernel.assign(kernel_before)


def test_the_largest_scale_asks_for_no_attention(model, monkeypatch):
    calls = []
    layer = type(model.get_layer("scale_attn"))
    call = layer.call
    monkeypatch.setattr(layer, "call", lambda self, x: calls.append(tuple(x.shape)) or call(self, x))
    with_scales(model, (0.5, 1.0, 2.0))(images(64, 64))
    assert sorted(calls) == [(2, 8, 8, 8), (2, 16, 16, 8)]


@pytest.mark.parametrize("scales", [(0.5, 1.0), (0.5, 1.0, 2.0), (1.0,)])
def test_the_loss_counts_the_auxiliary_logits_and_every_scale(model, scales):
    model = with_scales(model, scales)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile(loss=loss)
    y = np.random.default_rng(1).integers(0, 5, (2, 48, 48)).astype("uint8")
    with model.in_step():
        outputs = model(images(48, 48))
    assert len(outputs) == (2 if len(scales) == 1 else 2 + len(scales))
    assert {tuple(x.shape) for x in outputs} == {(2, 48, 48, 5)}
    joined, auxiliary, *at_scale = (as_number(loss(y, x)) for x in outputs)
    expected = joined + 0.4 * auxiliary + 0.05 * sum(at_scale)
    np.testing.assert_allclose(as_number(model.compute_loss(images(48, 48), y, outputs)), expected, rtol=1e-6)


def test_saved_at_one_set_of_scales_it_is_loaded_for_another(tmp_path):
    model = build()
    with_scales(model, (0.5, 1.0, 2.0)).save(tmp_path / "model.keras")
    loaded = with_scales(keras.models.load_model(tmp_path / "model.keras"), (0.5, 1.0))
    assert len(loaded.weights) == len(model.weights)
    np.testing.assert_array_equal(logits(loaded, images(35, 49)), logits(model, images(35, 49)))


def test_channels_first_stays_so_at_other_scales():
    first, last = build(data_format="channels_first"), build()
    last.set_weights(first.get_weights())
    first, last = (with_scales(x, (0.5, 1.0, 2.0)) for x in (first, last))
    assert first.output_shape == (None, 5, None, None)
    x = images(35, 49)
    answer = np.moveaxis(logits(first, np.moveaxis(x, -1, 1)), 1, -1)
    np.testing.assert_allclose(answer, logits(last, x), atol=1e-5)


@pytest.mark.parametrize("scales", [(), (0.5,), (0.5, 2.0), (1.0, -1.0), (1.0, 0), (1.0, 1.0), ("1.0",)])
def test_scales_without_the_image_itself_are_refused(model, scales):
    message = r"received scales=.*\. Expected different positive numbers with 1\.0 among them"
    with pytest.raises(ValueError, match=message):
        with_scales(model, scales)
    with pytest.raises(ValueError, match=message):
        hrnet(scales=scales)


def test_an_image_too_small_for_the_smallest_scale_is_refused():
    with pytest.raises(ValueError, match=r"needs a height and width of at least 68 at scales=\(0\.25, 1\.0\)"):
        hrnet(scales=(0.25, 1.0), input_shape=(64, 128, 3))


def test_a_network_of_one_scale_is_refused():
    with pytest.raises(ValueError, match=r"received the model 'Tiny', which runs at one scale"):
        with_scales(keras_hrnet.HRNet(TINY, 5), (0.5, 1.0))


def test_logits_at_stride_4_are_refused():
    with pytest.raises(ValueError, match=r"output_stride=4 with head='hierarchical'\. Expected 1"):
        hrnet(output_stride=4)
