"""The keys of the other formats, against modules nested as their published code nests them."""

import json
import pathlib

import pytest

from keras_hrnet.checkpoints import naming
from keras_hrnet.checkpoints.naming import MMSEGMENTATION, NVIDIA, OPENSEG, SSLD

pytestmark = pytest.mark.once

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
FCN = [f"last_layer.{leaf}" for leaf in ("0.weight", "0.bias", "3.weight", "3.bias")] + [
    f"last_layer.1.{leaf}" for leaf in ("weight", "bias", "running_mean", "running_var")
]


def names_of(case):
    return list(json.loads((GOLDEN / f"{case}.json").read_text())["keys"])


def ocr_head_names():
    return [name for name in names_of("ocr_w48") if not naming.is_backbone(name)]


def keys_of(head):
    """The keys of a PyTorch head, without the counters."""
    return {key for key in head.state_dict() if not key.endswith("num_batches_tracked")}


def openseg_head(ocr):
    """Nests layers as lib/models/nets/hrnet.py does, with 2 channels each."""
    from torch import nn

    def norm():
        return nn.Sequential(nn.BatchNorm2d(2), nn.ReLU())

    def pair():
        return nn.Sequential(nn.Conv2d(2, 2, 1), norm())

    def two_pairs():
        return nn.Sequential(nn.Conv2d(2, 2, 1), norm(), nn.Conv2d(2, 2, 1), norm())

    if not ocr:
        last = nn.Conv2d(2, 2, 1, bias=False)
        return nn.ModuleDict({"cls_head": nn.Sequential(nn.Conv2d(2, 2, 3), norm(), nn.Dropout2d(0.1), last)})
    block = {"f_pixel": two_pairs(), "f_object": two_pairs(), "f_down": pair(), "f_up": pair()}
    mix = nn.Sequential(nn.Conv2d(2, 2, 1), norm(), nn.Dropout2d(0.05))
    return nn.ModuleDict(
        {
            "conv3x3": pair(),
            "ocr_distri_head": nn.ModuleDict({"object_context_block": nn.ModuleDict(block), "conv_bn_dropout": mix}),
            "cls_head": nn.Conv2d(2, 2, 1),
            "aux_head": nn.Sequential(nn.Conv2d(2, 2, 3), norm(), nn.Conv2d(2, 2, 1)),
        }
    )


def mmsegmentation_head(ocr):
    """Nests layers as mmseg/models/decode_heads does, with 2 channels each."""
    from torch import nn

    def conv_module():
        return nn.ModuleDict({"conv": nn.Conv2d(2, 2, 1, bias=False), "bn": nn.BatchNorm2d(2)})

    def two():
        return nn.Sequential(conv_module(), conv_module())

    fcn = nn.ModuleDict({"convs": nn.Sequential(conv_module()), "conv_seg": nn.Conv2d(2, 2, 1)})
    if not ocr:
        return nn.ModuleDict({"decode_head": fcn})
    block = {"query_project": two(), "key_project": two(), "value_project": conv_module()}
    block |= {"out_project": conv_module(), "bottleneck": conv_module()}
    second = {"bottleneck": conv_module(), "object_context_block": nn.ModuleDict(block)}
    second = nn.ModuleDict({**second, "conv_seg": nn.Conv2d(2, 2, 1)})
    return nn.ModuleDict({"decode_head": nn.ModuleList([fcn, second])})


def folded_keys(one, names):
    return {key for key in map(one.folded_key_of, names) if key}


@pytest.mark.parametrize("ocr", [False, True])
@pytest.mark.parametrize(("one", "head"), [(OPENSEG, openseg_head), (MMSEGMENTATION, mmsegmentation_head)])
def test_the_keys_of_a_head_are_those_of_the_published_code(one, head, ocr):
    names = ocr_head_names() if ocr else FCN
    expected = keys_of(head(ocr))
    keys = {one.key_of(name) for name in names if not one.lacks(name)}
    assert keys | folded_keys(one, names) == expected
    assert naming.recognize(["backbone.conv1.weight", *expected]) is one


def test_openseg_has_biases_in_front_of_all_normalizations_of_its_attention():
    folded = folded_keys(OPENSEG, ocr_head_names())
    assert len(folded) == 7
    assert "ocr_distri_head.object_context_block.f_object.2.bias" in folded
    assert OPENSEG.folded_key_of("conv3x3_ocr.1.running_mean") is None


def test_nvidias_keys_are_those_of_the_published_code():
    names = [*names_of("ocr_w48"), *(key for key in names_of("hmsa_w48") if key.startswith("scale_attn."))]
    assert {NVIDIA.key_of(name) for name in names} == set(names_of("hmsa_w48"))


@pytest.mark.parametrize("one", [NVIDIA, MMSEGMENTATION, OPENSEG])
def test_a_backbone_stands_behind_its_prefix(one):
    assert one.key_of("stage2.0.branches.0.1.bn1.bias") == "backbone.stage2.0.branches.0.1.bn1.bias"


@pytest.mark.parametrize(
    ("one", "name"),
    [(NVIDIA, "last_layer.0.weight"), (MMSEGMENTATION, "scale_attn.conv2.weight"), (OPENSEG, "classifier.weight")],
)
def test_a_weight_that_no_such_file_holds_has_no_key(one, name):
    assert one.key_of(name) is None


def test_ssld_is_official_classification_without_biases():
    names = names_of("cls_w18")
    without = [name for name in names if not SSLD.lacks(name)]
    assert len(names) - len(without) == 4
    assert naming.recognize(without) is SSLD
    assert naming.recognize([*without, "downsamp_modules.1.0.bias"]).title == "official classification, or timm"


def test_openseg_heads_of_inplace_abn_are_told_from_others():
    import re

    assert re.match(OPENSEG.activated_norm, "conv3x3.1.weight")
    assert re.match(OPENSEG.activated_norm, "cls_head.1.weight")
    assert not any(re.match(OPENSEG.activated_norm, key) for key in keys_of(openseg_head(ocr=True)))
    assert not any(re.match(OPENSEG.activated_norm, key) for key in keys_of(openseg_head(ocr=False)))
