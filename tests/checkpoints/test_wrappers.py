"""Files of known networks inside other networks, in two files, or for another task."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import LiteVariant, load_checkpoint
from keras_hrnet.checkpoints import describe_checkpoint, naming

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
LITE = LiteVariant("Tiny", 16, (1, 1, 1), 1)

# Weights are loaded into networks of every backend by tests/checkpoints/test_loading.py and the golden cases.
pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "prefix", ["_orig_mod.", "net.", "hrnet.", "encoder.model.", "module._orig_mod.", "_orig_mod.model."]
)
def test_a_wrapped_network_fills_every_weight(prefix, tiny, official_weights, assert_holds, published_file):
    model = tiny()
    weights = official_weights(model)
    load_checkpoint(model, published_file(weights, prefix=prefix))
    assert_holds(model, weights)


@pytest.mark.parametrize("prefix", ["hrnet.", "encoder.model."])
def test_what_is_beside_a_backbone_in_another_network_is_left_out(
    prefix, tiny, official_weights, assert_holds, published_file
):
    model = tiny()
    weights = official_weights(model)
    backbone = {prefix + name: x for name, x in weights.items() if naming.is_backbone(name)}
    beside = {"decoder.blocks.0.weight": np.ones((2, 2, 1, 1), "float32")}
    report = load_checkpoint(model, published_file(backbone | beside), skip_head=True)
    assert report.ignored["decoder.blocks.0.weight"] == "part of a head, and skip_head=True"
    assert_holds(model, weights, backbone_only=True)


@pytest.fixture
def csailvision(official_weights, published_file):
    """Returns a function that writes a network as CSAILVision does: encoder and decoder apart."""

    def write(model):
        state = {
            naming.CSAILVISION.key_of(name): value
            for name, value in official_weights(model).items()
            if not naming.CSAILVISION.lacks(name)
        }
        for part in ("encoder", "decoder"):
            own = {key.removeprefix(f"{part}."): x for key, x in state.items() if key.startswith(f"{part}.")}
            path = published_file(own, f"{part}_epoch_30.pth")
        return path.parent

    return write


@pytest.fixture(scope="module")
def c1():
    """A small network with CSAILVision's decoder: 3x3 to a quarter of the channels, and 1x1 to the classes."""
    variant = keras_hrnet.Variant("Tiny", 4, 1, 8, (1, 1, 1), 1)
    return keras_hrnet.HRNet(variant, 5, head_kernel_size=3, head_channels=15)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_an_encoder_and_a_decoder_are_read_together(part, c1, csailvision, official_weights):
    folder = csailvision(c1)
    weights = official_weights(c1)
    report = load_checkpoint(c1, folder / f"{part}_epoch_30.pth")
    assert report.format == "CSAILVision"
    assert "decoder.cbr.0.weight" in report.loaded
    for weight in c1.weights:
        value = weights[naming.name_of(weight.path)]
        value = np.zeros_like(value) if weight.path == "last_layer_0/conv/bias" else value
        expected = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), expected, err_msg=weight.path)
    described = describe_checkpoint(folder / f"{part}_epoch_30.pth")
    assert described.call.endswith(
        'num_classes=5, head="fcn", head_kernel_size=3, head_channels=15, align_corners=False)'
    )


def test_an_encoder_alone_is_a_backbone(c1, csailvision):
    folder = csailvision(c1)
    (folder / "decoder_epoch_30.pth").unlink()
    assert load_checkpoint(c1, folder / "encoder_epoch_30.pth", skip_head=True).format == "backbone alone"


def test_a_decoder_alone_says_that_the_encoder_is_missing(c1, csailvision):
    folder = csailvision(c1)
    (folder / "encoder_epoch_30.pth").unlink()
    with pytest.raises(ValueError, match=r"only the decoder. Expected encoder_epoch_30.pth next to it"):
        load_checkpoint(c1, folder / "decoder_epoch_30.pth")


@pytest.mark.parametrize("case", ["lite_hrnet_18", "naive_lite_hrnet_18"])
def test_the_published_codes_networks_for_key_points_are_described(case, published_file):
    keys = json.loads((GOLDEN / f"{case}.json").read_text())["keys"]
    described = describe_checkpoint(published_file({key: np.ones(shape, "float32") for key, shape in keys.items()}))
    name = {"lite_hrnet_18": "LiteHRNet18", "naive_lite_hrnet_18": "LiteHRNetNaive18"}[case]
    assert described.call == f'{name}(num_classes=19, head="iterative")'


@pytest.fixture(scope="module")
def key_points():
    """A small Lite-HRNet with 17 outputs, as for the key points of COCO, and its values by the published keys."""
    model = keras_hrnet.HRNet(LITE, 17, head="iterative")
    generator = np.random.default_rng(0)
    values = {}
    for weight in model.weights:
        key = naming.LITE_HRNET.key_of(naming.name_of(weight.path))
        value = generator.uniform(0.5, 1.5, weight.shape).astype("float32")
        axes = (2, 3, 0, 1) if weight.path.endswith("depthwise/kernel") else (3, 2, 0, 1)
        values[key] = (weight.path, value, value.transpose(axes) if value.ndim == 4 else value)
    return values


@pytest.mark.slow
def test_the_backbone_of_a_network_for_key_points_loads_and_says_what_its_head_was_for(key_points, published_file):
    model = keras_hrnet.HRNet(LITE, 5, head="iterative")
    path = published_file({key: value for key, (_, _, value) in key_points.items()})
    with pytest.raises(ValueError, match="whose head was trained for key points: pass skip_head=True"):
        load_checkpoint(model, path)
    report = load_checkpoint(model, path, skip_head=True)
    reason = "part of a head for key points, and skip_head=True"
    assert report.ignored["keypoint_head.final_layer.weight"] == reason
    assert report.ignored["backbone.head_layer.projects.0.pointwise_conv.conv.weight"] == reason
    assert reason in str(report)
    given = {path: value for path, value, _ in key_points.values()}
    constructed = keras_hrnet.HRNet(LITE, 5, head="fcn", weights=path)
    for weight in (*model.weights, *constructed.weights):
        if naming.is_backbone(naming.name_of(weight.path)):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), given[weight.path], err_msg=weight.path)


def test_a_row_of_ones_own_is_described_with_its_kind_of_block(published_file):
    naive = keras_hrnet.HRNet(dataclasses.replace(LITE, block="shuffle"), 5, head="iterative")
    state = {}
    for weight in naive.weights:
        key = naming.LITE_HRNET.key_of(naming.name_of(weight.path))
        axes = (2, 3, 0, 1) if weight.path.endswith("depthwise/kernel") else (3, 2, 0, 1)
        value = np.ones(weight.shape, "float32")
        state[key] = value.transpose(axes) if value.ndim == 4 else value
    assert describe_checkpoint(published_file(state)).call == (
        'HRNet(LiteVariant("Own", width=16, modules=(1, 1, 1), blocks=1, block="shuffle"), num_classes=5, '
        'head="iterative")'
    )
