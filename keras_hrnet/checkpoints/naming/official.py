"""Names of the official files: HRNet-Semantic-Segmentation and HRNet-Image-Classification, which timm took over.

All other formats are written as changes to these names.
"""

import re

from keras_hrnet.checkpoints.naming.format import Format, first_replacement

BACKBONE = r"^(conv[12]|bn[12]|layer1|transition[123]|stage[234])\."

CLASSIFICATION_HEAD = r"^(incre_modules|downsamp_modules|final_layer|classifier)\."
SEGMENTATION_HEAD = r"^(last_layer|aux_head|conv3x3_ocr|ocr_distri_head|cls_head)\."
_ANY_HEAD = f"{CLASSIFICATION_HEAD}|{SEGMENTATION_HEAD}"

AS_THEY_ARE = ((r"^", ""),)

# Whether its Cityscapes networks align corners differs from file to file, and no key says so.
SEGMENTATION = Format("official segmentation", signature=SEGMENTATION_HEAD, head=_ANY_HEAD, keys=AS_THEY_ARE)

# lib/models/cls_hrnet.py and timm/models/hrnet.py enlarge by `nn.Upsample(mode="nearest")`.
CLASSIFICATION = Format(
    "official classification, or timm",
    signature=CLASSIFICATION_HEAD,
    head=_ANY_HEAD,
    keys=AS_THEY_ARE,
    convention=("nearest", False),
)

BARE_BACKBONE = Format("backbone alone", signature=BACKBONE, head=_ANY_HEAD, keys=AS_THEY_ARE)

# A weight's path in this package to the name of its module, first match. The hierarchical head, which no official file
# holds, has the names that NVIDIA gave it.
_MODULES = (
    (r"^stem/", r""),
    (r"^(layer1)/block_(\d+)/", r"\1.\2."),
    # The new branch of a transition is a chain in the reference, hence one index more.
    (r"^transition(\d)/branch_\1/", r"transition\1.\1.0."),
    (r"^transition(\d)/branch_(\d)/", r"transition\1.\2."),
    (r"^stage(\d)/module_(\d+)/branch_(\d)/block_(\d+)/", r"stage\1.\2.branches.\3.\4."),
    (r"^stage(\d)/module_(\d+)/fuse/up_(\d)_(\d)/", r"stage\1.\2.fuse_layers.\3.\4."),
    (r"^stage(\d)/module_(\d+)/fuse/down_(\d)_(\d)_(\d)/", r"stage\1.\2.fuse_layers.\3.\4.\5."),
    (r"^incre_modules_(\d)/block_0/", r"incre_modules.\1.0."),
    (r"^downsamp_modules_(\d)/", r"downsamp_modules.\1."),
    (r"^(final_layer)/", r"\1."),
    (r"^(last_layer|aux_head)_0/", r"\1."),
    (r"^(last_layer|aux_head)_3/", r"\1.3."),
    (r"^(classifier|cls_head|conv3x3_ocr)/", r"\1."),
    # A normalisation of the object attention is a sequence too, one after its convolution: 0, 1.0, 2, 3.0.
    (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_0/conv/", r"ocr_distri_head.object_context_block.\1.0."),
    (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_0/norm/", r"ocr_distri_head.object_context_block.\1.1.0."),
    (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_2/conv/", r"ocr_distri_head.object_context_block.\1.2."),
    (r"^ocr_distri_head/object_context_block/(f_[a-z]+)_2/norm/", r"ocr_distri_head.object_context_block.\1.3.0."),
    (r"^ocr_distri_head/conv_bn_dropout/conv/", r"ocr_distri_head.conv_bn_dropout.0."),
    (r"^ocr_distri_head/conv_bn_dropout/norm/", r"ocr_distri_head.conv_bn_dropout.1.0."),
    (r"^scale_attn/conv2/", r"scale_attn.conv2."),
    (r"^scale_attn/", r"scale_attn."),
)

# Inside the module: a numbered convolution has a normalisation of the same number, any other is a sequence.
_PARTS = (
    (r"conv(\d)/conv/", r"conv\1."),
    (r"conv(\d)/norm/", r"bn\1."),
    (r"downsample/conv/", r"downsample.0."),
    (r"downsample/norm/", r"downsample.1."),
    (r"(^|\.)conv/", r"\g<1>0."),
    (r"(^|\.)norm/", r"\g<1>1."),
)

_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def name_of(path):
    """Names what a weight is called in the official files.

    Args:
        path: the weight's path in the model, such as "stage2/module_0/branch_1/block_3/conv1/conv/kernel".

    Returns:
        The name, such as "stage2.0.branches.1.3.conv1.weight"; None if no published file holds that weight.
    """
    module, _, leaf = path.rpartition("/")
    name = first_replacement(_MODULES, f"{module}/")
    if name is None or leaf not in _LEAVES:
        return None
    for pattern, replacement in _PARTS:
        name = re.sub(pattern, replacement, name)
    return name + _LEAVES[leaf]


def is_backbone(name):
    """Says whether the weight of an official name belongs to the backbone; a weight without a name does not."""
    return name is not None and re.match(BACKBONE, name) is not None
