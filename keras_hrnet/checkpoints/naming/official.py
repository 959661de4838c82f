"""Names of the official files: HRNet-Semantic-Segmentation and HRNet-Image-Classification, which timm also uses.

All other formats are described by how their names differ from these.
"""

import re

from keras_hrnet import families, heads
from keras_hrnet.checkpoints.naming.format import Format, first_replacement
from keras_hrnet.families import WEIGHT_PATTERN

CLASSIFICATION_HEAD = r"^(incre_modules|downsamp_modules|final_layer|classifier)\."
SEGMENTATION_HEAD = r"^(last_layer|aux_head|conv3x3_ocr|ocr_distri_head|cls_head)\."
_ANY_HEAD = rf"{CLASSIFICATION_HEAD}|{SEGMENTATION_HEAD}|^head_layer\."

AS_THEY_ARE = ((r"^", ""),)

# Whether its Cityscapes networks align corners differs between files, and no key states it.
SEGMENTATION = Format("official segmentation", signature=SEGMENTATION_HEAD, head=_ANY_HEAD, keys=AS_THEY_ARE)

# lib/models/cls_hrnet.py and timm/models/hrnet.py upsample by `nn.Upsample(mode="nearest")`.
CLASSIFICATION = Format(
    "official classification, or timm",
    signature=CLASSIFICATION_HEAD,
    head=_ANY_HEAD,
    keys=AS_THEY_ARE,
    convention=("nearest", False),
)

BARE_BACKBONE = Format("backbone alone", signature=WEIGHT_PATTERN, head=_ANY_HEAD, keys=AS_THEY_ARE)

# Inside the module, a numbered convolution has a normalization of the same number; any other is a sequence.
_PARTS = (
    (r"conv(\d)/conv/", r"conv\1."),
    (r"conv(\d)/norm/", r"bn\1."),
    (r"conv(\d)/depthwise/", r"conv\1."),
    (r"downsample/conv/", r"downsample.0."),
    (r"downsample/norm/", r"downsample.1."),
    (r"(^|\.)(?:conv|depthwise)/", r"\g<1>0."),
    (r"(^|\.)norm/", r"\g<1>1."),
)

_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "relative_position_bias_table": "relative_position_bias_table",
}


def name_of(path: str) -> str | None:
    """Returns the official name of a weight by its path in the model; None if no official file holds it.

    For example, "stage2/module_0/branch_1/block_3/conv1/conv/kernel" is "stage2.0.branches.1.3.conv1.weight".
    """
    module, _, leaf = path.rpartition("/")
    name = first_replacement((*families.WEIGHT_NAMES, *heads.WEIGHT_NAMES), f"{module}/")
    if name is None or leaf not in _LEAVES:
        return None
    for pattern, replacement in (*families.WEIGHT_PARTS, *_PARTS):
        name = re.sub(pattern, replacement, name)
    return name + _LEAVES[leaf]
