import json
import re

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

import keras_hrnet
from keras_hrnet import hub
from keras_hrnet.checkpoints import published_weights
from keras_hrnet.hub import HRNetBackbone

PYRAMID = {"P2": (9, 13, 4), "P3": (5, 7, 8), "P4": (3, 4, 16), "P5": (2, 2, 32)}


@pytest.mark.once
def test_a_config_makes_the_same_backbone(tiny):
    backbone = tiny(
        interpolation="nearest",
        image_shape=(3, None, 64),
        data_format="channels_first",
        dtype="mixed_bfloat16",
        name="mine",
    )
    config = backbone.get_config()
    assert set(config) == {
        *("width", "stage1_blocks", "stage1_filters", "modules", "blocks", "interpolation", "align_corners"),
        *("image_shape", "mean", "deviation", "data_format", "dtype", "name", "trainable"),
    }
    written = json.dumps(config, sort_keys=True)
    serialized = json.dumps(keras.saving.serialize_keras_object(backbone))
    copy = keras.saving.deserialize_keras_object(json.loads(serialized))
    assert json.dumps(copy.get_config(), sort_keys=True) == written
    assert copy.input_shape == (None, 3, None, 64)


@pytest.mark.slow
@pytest.mark.compiles
def test_it_is_called_and_predicts_from_arrays_and_from_tf_data_alike(backbone, images, arrays_of):
    called = arrays_of(backbone(images))
    assert {name: x.shape for name, x in called.items()} == {name: (2, *shape) for name, shape in PYRAMID.items()}
    for outputs in (
        backbone.predict(images, verbose=0),
        backbone.predict(tf.data.Dataset.from_tensor_slices(images).batch(2), verbose=0),
    ):
        for name, x in called.items():
            np.testing.assert_allclose(outputs[name], x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_a_dtype_policy_reaches_every_layer_and_names_are_in_snake_case(policy, tiny):
    # Channels first has all layers of channels last, and those at its border.
    backbone = tiny(dtype=policy, data_format="channels_first")
    assert backbone.name.startswith("hr_net_backbone")
    policy = keras.DTypePolicy(policy)
    assert {x.dtype for x in backbone.output.values()} == {policy.compute_dtype}
    assert {weight.dtype for weight in backbone.weights} == {policy.variable_dtype}
    for layer in backbone._flatten_layers():
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", layer.name), layer.name
        if not isinstance(layer, keras.layers.InputLayer):
            assert (layer.compute_dtype, layer.variable_dtype) == (policy.compute_dtype, policy.variable_dtype)


def test_channels_first_gives_the_numbers_of_channels_last(backbone, tiny, images, arrays_of):
    first = tiny(data_format="channels_first", align_corners=True)
    assert first.input_shape == (None, 3, None, None)
    first.set_weights(backbone.get_weights())
    expected = arrays_of(backbone(images))
    for name, x in arrays_of(first(np.moveaxis(images, -1, 1))).items():
        np.testing.assert_allclose(np.moveaxis(x, 1, -1), expected[name], rtol=1e-5, atol=1e-5)


def test_single_layers_may_have_their_own_dtype_policy(backbone, tiny, images, arrays_of):
    policies = keras.dtype_policies.DTypePolicyMap("float32", {"stage4(/.*)?": keras.DTypePolicy("mixed_bfloat16")})
    mixed = tiny(align_corners=True, dtype=policies)
    mixed.set_weights(backbone.get_weights())
    copy = HRNetBackbone.from_config(mixed.get_config())
    for network in (mixed, copy):
        for layer in network._flatten_layers(include_self=False):
            expected = "bfloat16" if layer.path and layer.path.startswith("stage4") else "float32"
            assert layer.compute_dtype == expected, layer.path
    outputs, expected = arrays_of(mixed(images)), arrays_of(backbone(images))
    for name, x in outputs.items():
        assert str(x.dtype) == "bfloat16"
        atol = 0.08 * expected[name].max()  # measured 0.008
        np.testing.assert_allclose(x.astype("float32"), expected[name], atol=atol)


def test_a_network_wholly_in_bfloat16_computes_nearly_the_same(backbone, tiny, images, arrays_of):
    half = tiny(align_corners=True, dtype="bfloat16")
    half.set_weights(backbone.get_weights())
    outputs, expected = half.predict(images, verbose=0), arrays_of(backbone(images))
    for name, x in outputs.items():
        atol = 0.1 * expected[name].max()  # measured 0.018
        np.testing.assert_allclose(x.astype("float32"), expected[name], atol=atol)


def test_keras_settings_are_followed(tiny):
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        backbone = tiny()
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    assert backbone.dtype_policy.name == "mixed_bfloat16"
    assert backbone.output["P2"].dtype == "bfloat16"
    assert backbone.data_format == "channels_first"
    assert backbone.pyramid_outputs["P3"].shape == (None, 8, None, None)


def test_a_saved_backbone_computes_the_same_to_the_last_bit(backbone, images, arrays_of, tmp_path):
    backbone.save(tmp_path / "backbone.keras")
    loaded = keras.models.load_model(tmp_path / "backbone.keras")
    assert isinstance(loaded, HRNetBackbone)
    expected = arrays_of(backbone(images))
    for name, x in arrays_of(loaded(images)).items():
        np.testing.assert_array_equal(x, expected[name])


def test_it_is_the_network_of_keras_hrnet_with_the_same_weights(backbone, variant, images, arrays_of):
    network = keras_hrnet.HRNet(variant, head=None, align_corners=True)
    assert [weight.path for weight in backbone.weights] == [weight.path for weight in network.weights]
    network.set_weights(backbone.get_weights())
    expected = arrays_of(network(images))
    for name, x in arrays_of(backbone(images)).items():
        np.testing.assert_array_equal(x, expected[name])


@pytest.mark.once
def test_a_variant_is_built_by_its_name_and_gives_maps_at_strides_4_to_32():
    backbone = HRNetBackbone.from_variant("HRNetW18Small", image_shape=(65, 97, 3))
    # The parameters of the published code, without its head.
    assert sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights) == 1_477_920
    for outputs in (backbone.pyramid_outputs, backbone.output):
        assert {name: x.shape[1:] for name, x in outputs.items()} == {
            "P2": (17, 25, 16),
            "P3": (9, 13, 32),
            "P4": (5, 7, 64),
            "P5": (3, 4, 128),
        }


@pytest.mark.once
def test_kerashub_builds_a_detector_s_pyramid_on_it(backbone):
    detector = keras_hub.models.RetinaNetBackbone(
        backbone, min_level=3, max_level=5, use_p5=False, image_shape=(64, 64, 3)
    )
    assert {name: x.shape[1:3] for name, x in detector.pyramid_outputs.items()} == {
        "P3": (8, 8),
        "P4": (4, 4),
        "P5": (2, 2),
    }


@pytest.mark.once
def test_from_preset_knows_the_published_files(monkeypatch):
    preset, fetched, loaded = "hf://timm/hrnet_w18_small.ms_in1k", [], []
    monkeypatch.setattr(hub.backbone, "download", lambda row: fetched.append(row.name) or "a file")
    monkeypatch.setattr(hub.backbone, "load_checkpoint", lambda model, path: loaded.append((model, path)))
    backbone = HRNetBackbone.from_preset(preset, interpolation="nearest", image_shape=(32, 32, 3))
    assert fetched == ["timm_hub_w18_small_ms"]
    assert loaded == [(backbone, "a file")]
    assert (backbone.interpolation, backbone.image_shape) == ("nearest", (32, 32, 3))


@pytest.mark.once
def test_a_published_file_is_found_by_its_name_and_by_its_place_on_the_hub():
    rows = {row.name: row for row in published_weights()}
    for name, row in rows.items():
        assert hub.published.find_published(name) == row
    assert hub.published.find_published("hf://timm/hrnet_w48.ms_in1k") == rows["timm_hub_w48_ms"]
    assert hub.published.find_published("hf://timm/resnet50.a1_in1k") is None
    assert hub.published.find_published("./folder") is None


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "convention"),
    [
        ("official_w48_cityscapes", {"interpolation": "bilinear", "align_corners": False}),
        ("official_w48_ocr_cityscapes", {"interpolation": "bilinear", "align_corners": True}),
        ("timm_hub_w48_ms", {}),
    ],
)
def test_segmentation_weights_say_how_maps_are_enlarged_and_imagenet_s_do_not(name, convention):
    assert hub.published.convention_of(hub.published.find_published(name)) == convention


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "Expected whole numbers of at least 1"),
        ({"image_shape": (64, 64)}, r"received image_shape=\(64, 64\)\. Expected \(height, width, 3\)"),
        ({"image_shape": (64, 64, 4)}, r"4 channels without mean"),
        ({"image_shape": (64, 64, 3), "data_format": "channels_first"}, r"Expected \(3, height, width\)"),
        ({"image_shape": (16, 64, 3)}, r"at least 17\. Received image_shape=\(16, 64, 3\)"),
        ({"interpolation": "cubic"}, r"Received interpolation='cubic'"),
        ({"data_format": "NHWC"}, r"Received data_format='NHWC'"),
    ],
)
def test_a_wrong_argument_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HRNetBackbone(**{"width": 4, **options})


@pytest.mark.once
def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match=r"received name='HRNetW99'\. Expected one of HRNetW18Small,"):
        HRNetBackbone.from_variant("HRNetW99")
