import json
import pathlib

import pytest

from keras_hrnet.checkpoints import naming

pytestmark = pytest.mark.once

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("stem/conv2/conv/kernel", "conv2.weight"),
        ("stem/conv1/norm/moving_variance", "bn1.running_var"),
        ("layer1/block_0/downsample/norm/beta", "layer1.0.downsample.1.bias"),
        ("layer1/block_3/conv3/conv/kernel", "layer1.3.conv3.weight"),
        ("transition1/branch_0/conv/kernel", "transition1.0.0.weight"),
        ("transition1/branch_1/norm/gamma", "transition1.1.0.1.weight"),
        ("transition3/branch_3/conv/kernel", "transition3.3.0.0.weight"),
        ("stage3/module_2/branch_1/block_3/conv2/norm/moving_mean", "stage3.2.branches.1.3.bn2.running_mean"),
        ("stage4/module_0/fuse/up_0_3/conv/kernel", "stage4.0.fuse_layers.0.3.0.weight"),
        ("stage4/module_0/fuse/down_3_0_2/norm/gamma", "stage4.0.fuse_layers.3.0.2.1.weight"),
        ("last_layer_0/conv/bias", "last_layer.0.bias"),
        ("last_layer_0/norm/gamma", "last_layer.1.weight"),
        ("last_layer_3/kernel", "last_layer.3.weight"),
        ("incre_modules_2/block_0/conv1/conv/kernel", "incre_modules.2.0.conv1.weight"),
        ("downsamp_modules_1/conv/bias", "downsamp_modules.1.0.bias"),
        ("final_layer/norm/beta", "final_layer.1.bias"),
        ("classifier/kernel", "classifier.weight"),
        ("aux_head_0/norm/moving_mean", "aux_head.1.running_mean"),
        ("aux_head_3/bias", "aux_head.3.bias"),
        ("conv3x3_ocr/conv/bias", "conv3x3_ocr.0.bias"),
        ("conv3x3_ocr/norm/gamma", "conv3x3_ocr.1.weight"),
        (
            "ocr_distri_head/object_context_block/f_pixel_2/conv/kernel",
            "ocr_distri_head.object_context_block.f_pixel.2.weight",
        ),
        (
            "ocr_distri_head/object_context_block/f_object_2/norm/beta",
            "ocr_distri_head.object_context_block.f_object.3.0.bias",
        ),
        (
            "ocr_distri_head/object_context_block/f_up_0/norm/moving_variance",
            "ocr_distri_head.object_context_block.f_up.1.0.running_var",
        ),
        ("ocr_distri_head/conv_bn_dropout/conv/kernel", "ocr_distri_head.conv_bn_dropout.0.weight"),
        ("ocr_distri_head/conv_bn_dropout/norm/gamma", "ocr_distri_head.conv_bn_dropout.1.0.weight"),
        ("cls_head/kernel", "cls_head.weight"),
        ("scale_attn/conv1/conv/kernel", "scale_attn.conv1.weight"),
        ("scale_attn/conv1/norm/gamma", "scale_attn.bn1.weight"),
        ("scale_attn/conv2/kernel", "scale_attn.conv2.weight"),
        ("my_own_layer/kernel", None),
        ("isa_head/conv_bn/conv/kernel", None),
        ("last_layer_3/kernel_scale", None),
    ],
)
def test_a_weight_has_the_official_name(path, name):
    assert naming.name_of(path) == name


def names_of(case):
    return list(json.loads((GOLDEN / f"{case}.json").read_text())["keys"])


@pytest.mark.parametrize(
    ("case", "title"),
    [
        ("seg_w48", "official segmentation"),
        ("ocr_w48", "official segmentation"),
        ("cls_w18", "official classification, or timm"),
        ("hmsa_w48", "NVIDIA semantic-segmentation"),
    ],
)
def test_the_published_codes_keys_are_recognized(case, title):
    assert naming.recognize(names_of(case)).title == title


@pytest.mark.parametrize("case", ["seg_w48", "ocr_w48", "cls_w18"])
def test_the_official_formats_have_the_official_names(case):
    names = names_of(case)
    official = naming.recognize(names)
    assert [official.key_of(name) for name in names] == names


@pytest.mark.parametrize(("case", "num_head"), [("seg_w48", 8), ("ocr_w48", 51), ("cls_w18", 106)])
def test_a_backbone_is_told_from_a_head(case, num_head):
    # Two convolutions with bias and a normalization are 8 names; the backbones of W18 and W48 have equally many.
    names = names_of(case)
    assert len(names) - num_head == 1525
    assert sum(map(naming.is_backbone, names)) == 1525
    assert not naming.is_backbone(None)


def test_a_backbone_alone_is_recognized_bare_and_behind_a_prefix():
    assert naming.recognize(["conv1.weight", "bn1.weight"]).title == "backbone alone"
    assert naming.recognize(["backbone.conv1.weight", "keypoint_head.weight"]).title == "backbone of another network"


def test_other_networks_are_not_recognized():
    assert naming.recognize(["features.0.weight", "fc.bias"]) is None
    assert naming.recognize([]) is None
