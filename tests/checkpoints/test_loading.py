import json
import pathlib
import re

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant, load_checkpoint
from keras_hrnet.checkpoints import naming
from keras_hrnet.checkpoints.naming import NVIDIA, OPENSEG

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


def under(one, weights, prefix=""):
    """Renames official weights as another format does."""
    return {prefix + one.key_of(name): value for name, value in weights.items()}


def head_of(model):
    """The values of the weights that are not of the backbone, by path."""
    return {
        weight.path: weight.numpy() for weight in model.weights if not naming.is_backbone(naming.name_of(weight.path))
    }


def with_7_classes(weights):
    """Draws the last layer anew, for a network of 7 classes."""
    last = {"last_layer.3.weight": np.ones((7, 60, 1, 1), "float32"), "last_layer.3.bias": np.ones(7, "float32")}
    return {**weights, **last}


def refusal(model, path, **options):
    """Loads a file that must be refused, and sees to it that nothing was loaded."""
    some = model.weights[::10]
    before = [weight.numpy() for weight in some]
    with pytest.raises(ValueError, match="the model 'Tiny', and nothing was loaded") as caught:
        load_checkpoint(model, path, **options)
    for old, weight in zip(before, some, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("a.pth", ""), ("a.pth", "model."), ("a.pth", "module.model."), ("a.pth.tar", ""), ("a.safetensors", "")],
)
def test_a_published_file_fills_every_weight(name, prefix, tiny, official_weights, assert_holds, published_file):
    model = tiny()
    weights = official_weights(model)
    report = load_checkpoint(model, published_file(weights, name, prefix))
    assert sorted(report.loaded) == sorted(prefix + name for name in weights)
    assert not (report.missing or report.unexpected or report.mismatched or report.untouched)
    assert_holds(model, weights)


def test_what_is_no_weight_is_named_with_its_reason(tiny, official_weights, published_file):
    import torch

    model = tiny()
    extra = {"loss.criterion.weight": torch.ones(19)}
    report = load_checkpoint(model, published_file(official_weights(model), "a.pth.tar", "model.", extra))
    assert report.ignored["loss.criterion.weight"] == "tensors of the loss, saved with the model"
    assert report.ignored["epoch"] == "not a weight"
    counts = [key for key in report.ignored if key.endswith("num_batches_tracked")]
    assert len(counts) == sum(key.endswith("running_mean") for key in report.loaded)
    assert "ignored (tensors of the loss, saved with the model): loss.criterion.weight" in str(report)


@pytest.mark.parametrize("head", ["fcn", "ocr", "classification"])
def test_a_network_without_a_head_loads_the_rest_and_says_so(
    head, tiny, official_weights, assert_holds, published_file
):
    weights = official_weights(tiny(head=head))
    backbone = tiny(head=None)
    report = load_checkpoint(backbone, published_file(weights))
    assert_holds(backbone, weights)
    left_out = [key for key, reason in report.ignored.items() if reason == "the model has no head"]
    assert sorted(left_out + list(report.loaded)) == sorted(weights)
    assert left_out


def test_a_file_of_another_variant_is_refused_with_the_call_that_fits(tiny, tmp_path):
    import torch

    keys = json.loads((GOLDEN / "seg_w18_small_v2.json").read_text())["keys"]
    path = tmp_path / "a.pth"
    torch.save({f"model.{key}": torch.ones(()).expand(shape) for key, shape in keys.items()}, path)
    message = refusal(tiny(), path)
    assert 'The file holds the weights of `HRNetW18SmallV2(num_classes=19, head="fcn")`: build that network.' in message
    assert "(official segmentation): 0 arrays loaded" in message
    assert "of another shape: model.layer1.0.conv1.weight is (64, 64, 1, 1), model has (8, 64, 1, 1)" in message


def test_a_file_of_another_class_count_is_refused_with_what_to_pass(tiny, official_weights, published_file):
    message = refusal(tiny(), published_file(with_7_classes(official_weights(tiny()))))
    assert "last_layer.3.weight is (7, 60, 1, 1), model has (5, 60, 1, 1)" in message
    assert "build with num_classes=7, or pass skip_head=True to load only the backbone." in message


def test_a_file_of_another_head_is_refused_with_what_to_pass(tiny, official_weights, published_file):
    message = refusal(tiny(), published_file(official_weights(tiny(head="ocr"))))
    assert 'num_classes=5, head="ocr", ocr_channels=(12, 6))`: build that network, or pass skip_head=True' in message
    backbone = {name: x for name, x in official_weights(tiny()).items() if naming.is_backbone(name)}
    assert "head=None)`: build that network, or pass skip_head=True to" in refusal(tiny(), published_file(backbone))


def test_a_damaged_file_of_the_same_network_is_refused_as_such(tiny, official_weights, published_file):
    weights = official_weights(tiny())
    del weights["conv2.weight"]
    assert "as the model needs, but is damaged or altered" in refusal(tiny(), published_file(weights))
    assert "not hold a complete HRNet" in refusal(tiny(), published_file({"conv1.weight": weights["conv1.weight"]}))


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(name, value, tiny, official_weights, published_file):
    model = tiny()
    weights = dict(official_weights(model))
    weights["stage3.0.branches.0.0.bn1.weight"] = np.array([1, value, 1, 1], "float32")
    path = published_file(weights, name)
    message = r"holds the tensor 'stage3.0.branches.0.0.bn1.weight', in which 1 of 4 values are NaN or infinite"
    with pytest.raises(ValueError, match=message):
        load_checkpoint(model, path)
    assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)


def test_a_file_of_another_network_is_refused(tiny, published_file):
    path = published_file({"features.0.weight": np.ones((2, 2), "float32")})
    with pytest.raises(ValueError, match=r"holds no HRNet in a supported format: its first keys are \['features\.0\.w"):
        load_checkpoint(tiny(), path)


# === The backbone alone ===


def imagenet(tiny, official_weights):
    weights = official_weights(tiny(head="classification"))
    return weights, weights, "official classification, or timm"


def nvidia(tiny, official_weights):
    weights = official_weights(tiny(head="hierarchical"))
    return weights, under(NVIDIA, weights, "module."), "NVIDIA semantic-segmentation"


def other_classes(tiny, official_weights):
    weights = with_7_classes(official_weights(tiny()))
    return weights, weights, "official segmentation"


def another_network(tiny, official_weights):
    weights = official_weights(tiny(head=None))
    other = {"keypoint_head.final_layer.weight": np.ones((17, 4, 1, 1), "float32")}
    return weights, {f"backbone.{name}": x for name, x in weights.items()} | other, "backbone of another network"


def bare(tiny, official_weights):
    weights = official_weights(tiny(head=None))
    return weights, weights, "backbone alone"


@pytest.mark.parametrize("source", [imagenet, nvidia, other_classes, another_network, bare])
def test_skip_head_loads_the_backbone_and_says_what_it_left(
    source, tiny, official_weights, assert_holds, published_file
):
    weights, state, title = source(tiny, official_weights)
    model = tiny()
    head = head_of(model)
    report = load_checkpoint(model, published_file(state), skip_head=True)
    assert report.format == title
    assert_holds(model, weights, backbone_only=True)
    for path, value in head_of(model).items():
        np.testing.assert_array_equal(value, head[path])
    assert sorted(report.untouched) == sorted(head)
    assert "head left as it was: last_layer_0/conv/kernel" in str(report)
    of_heads = ("part of a head, and skip_head=True", "part of a head for key points, and skip_head=True")
    skipped = [key for key, reason in report.ignored.items() if reason in of_heads]
    assert sorted([*skipped, *report.loaded]) == sorted(state)
    assert report.fits


@pytest.mark.parametrize("head", ["isa", "hierarchical", "classification"])
def test_skip_head_fills_the_backbone_of_any_head(head, tiny, official_weights, assert_holds, published_file):
    weights = official_weights(tiny())
    model = tiny(head=head)
    report = load_checkpoint(model, published_file(weights), skip_head=True)
    assert_holds(model, weights, backbone_only=True)
    assert sorted(report.untouched) == sorted(head_of(model))


@pytest.mark.parametrize("kind", ["missing", "extra", "reshaped"])
def test_skip_head_still_wants_the_whole_backbone(kind, tiny, official_weights, published_file):
    weights = official_weights(tiny(head="classification"))
    key = "stage2.0.branches.1.0.conv1.weight"
    if kind == "missing":
        del weights[key]
    elif kind == "extra":
        weights["stage2.0.branches.7.0.conv1.weight"] = weights[key]
    else:
        weights[key] = weights[key][..., :1]
    message = refusal(tiny(), published_file(weights), skip_head=True)
    assert {"missing": f"missing in the file: {key}", "extra": "branches.7.0.conv1", "reshaped": f"{key} is (8"}[
        kind
    ] in message


def test_a_head_that_no_format_names_is_missing_by_its_path(tiny, official_weights, published_file):
    model = tiny(head="isa")
    message = refusal(model, published_file(official_weights(tiny(head="ocr"))))
    assert "missing in the file: conv3x3_isa/conv/kernel" in message


# === Not strict ===


def test_not_strict_loads_what_fits_and_lists_the_rest(tiny, official_weights, published_file):
    model = tiny()
    weights = with_7_classes(official_weights(tiny()))
    del weights["conv1.weight"]
    weights["layer1.9.conv1.weight"] = weights["conv2.weight"]
    before = {weight.path: weight.numpy() for weight in model.weights}
    report = load_checkpoint(model, published_file(weights), strict=False)
    assert report.missing == ("conv1.weight",)
    assert report.unexpected == ("layer1.9.conv1.weight",)
    assert report.mismatched["last_layer.3.bias"] == ((7,), (5,))
    assert len(report.loaded) == len(model.weights) - 3
    unfilled = ("stem/conv1/conv/kernel", "last_layer_3/kernel", "last_layer_3/bias")
    for weight in model.weights:
        if weight.path in unfilled:
            np.testing.assert_array_equal(weight.numpy(), before[weight.path])
        elif weight.path == "stem/conv2/norm/beta":
            np.testing.assert_array_equal(weight.numpy(), weights["bn2.bias"])


def test_not_strict_sets_no_bias_to_zero_beside_a_kernel_that_is_not_there(tiny, official_weights, published_file):
    import keras

    model = tiny()
    backbone = {name: x for name, x in official_weights(tiny(head=None)).items()}
    state = under(naming.MMSEGMENTATION, backbone) | {"decode_head.conv_seg.bias": np.ones(5, "float32")}
    bias = model.get_layer("last_layer_0").conv.bias
    bias.assign(keras.ops.ones(60))
    load_checkpoint(model, published_file(state), strict=False)
    np.testing.assert_array_equal(bias.numpy(), np.ones(60))


def test_not_strict_refuses_a_file_of_which_nothing_fits_the_backbone(tiny, official_weights, published_file):
    weights = official_weights(tiny())
    weights = {name: np.ones((1, 2, 3), "float32") if naming.is_backbone(name) else x for name, x in weights.items()}
    assert "at least one weight of the backbone that fits" in refusal(tiny(), published_file(weights), strict=False)


# === InPlaceABN ===


def as_torch04(weights):
    return {name: np.abs(x) + np.float32(1e-5) if is_gamma(name, x) else x for name, x in weights.items()}


def is_gamma(name, x):
    return name.endswith("weight") and x.ndim == 1


def write_uncounted(weights, path):
    """Writes a file as PyTorch 0.4 did: without counts of batches, and not as a zip file."""
    import torch

    state = {name: torch.from_numpy(np.array(x)) for name, x in weights.items()}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize("head", ["fcn", "ocr"])
def test_an_official_segmentation_file_of_pytorch_04_is_taken_for_inplace_abn(
    head, tiny, official_weights, assert_holds, tmp_path
):
    model = tiny(head=head)
    weights = official_weights(model)
    report = load_checkpoint(model, write_uncounted(weights, tmp_path / "hrnet_torch04.pth"))
    assert_holds(model, as_torch04(weights))
    assert report.notes == (
        "the normalization is InPlaceABN, whose scales are |gamma| + 1e-5: the file does not count batches, like "
        "PyTorch 0.4. Pass inplace_abn=False if it is not",
    )


def test_the_caller_decides_over_inplace_abn(tiny, official_weights, assert_holds, published_file, tmp_path):
    model = tiny()
    weights = official_weights(model)
    report = load_checkpoint(model, write_uncounted(weights, tmp_path / "a.pth"), inplace_abn=False)
    assert_holds(model, weights)
    assert report.notes == ("the normalization is plain batch normalization: inplace_abn=False was passed",)
    report = load_checkpoint(model, published_file(weights), inplace_abn=True)
    assert_holds(model, as_torch04(weights))
    assert report.notes == (
        "the normalization is InPlaceABN, whose scales are |gamma| + 1e-5: inplace_abn=True was passed",
    )


def test_other_files_are_not_taken_for_inplace_abn(tiny, official_weights, assert_holds, published_file, tmp_path):
    model = tiny()
    weights = official_weights(model)
    report = load_checkpoint(model, published_file(weights))
    assert_holds(model, weights)
    assert report.notes == ("the normalization is plain batch normalization: the file counts batches",)
    load_checkpoint(model, published_file(weights, "a.safetensors"))
    assert_holds(model, weights)
    # Early ImageNet files have no counts either, and are plain.
    imagenet = official_weights(tiny(head="classification"))
    report = load_checkpoint(model, write_uncounted(imagenet, tmp_path / "a.pth"), skip_head=True)
    assert_holds(model, imagenet, backbone_only=True)
    assert report.notes == ()


def test_a_head_of_leaky_relu_is_refused_and_its_backbone_loaded(tiny, official_weights, assert_holds, published_file):
    model = tiny(head="ocr", head_kernel_size=3, align_corners=True)
    weights = official_weights(model)
    state = {re.sub(r"^(conv3x3|aux_head)\.1\.0\.", r"\1.1.", key): x for key, x in under(OPENSEG, weights).items()}
    path = published_file(state)
    with pytest.raises(ValueError, match=r"has a head of InPlaceABN with leaky ReLU inside\. .* skip_head=True"):
        load_checkpoint(model, path)
    report = load_checkpoint(model, path, skip_head=True)
    assert_holds(model, as_torch04(weights), backbone_only=True)
    assert "the head's keys are those of InPlaceABN" in report.notes[0]


def test_a_narrow_auxiliary_head_is_told_and_loaded(tiny, official_weights, assert_holds, published_file):
    narrow = {"head": "ocr", "head_kernel_size": 3, "ocr_auxiliary_channels": 16, "align_corners": True}
    model = tiny(**narrow)
    weights = official_weights(model)
    path = published_file(weights)
    with pytest.raises(ValueError, match="ocr_auxiliary_channels=16"):
        load_checkpoint(tiny(head="ocr", head_kernel_size=3, align_corners=True), path)
    load_checkpoint(model, path)
    assert_holds(model, weights)


def test_a_constructor_loads_a_path(official_weights, assert_holds, published_file, tiny):
    weights = official_weights(tiny())
    row = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    assert_holds(keras_hrnet.HRNet(row, 5, weights=published_file(weights)), weights)
