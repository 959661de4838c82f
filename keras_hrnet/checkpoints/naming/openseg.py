"""Names of openseg-group/openseg.pytorch: `HRNet_W48` and `HRNet_W48_OCR`."""

from keras_hrnet.checkpoints.naming.format import Format
from keras_hrnet.checkpoints.naming.prefixed import BACKBONE_KEYS, OUTSIDE_BACKBONE

# lib/models/nets/hrnet.py. `ModuleHelper.BNReLU` (lib/models/tools/module_helper.py) is a separate sequence, hence
# the additional index, unless it is an InPlaceABN, which contains a leaky ReLU.
OPENSEG = Format(
    "openseg.pytorch",
    signature=r"^(conv3x3|asp_ocr_head|cls_head\.\d)\.",
    head=OUTSIDE_BACKBONE,
    keys=(
        BACKBONE_KEYS,
        (r"^last_layer\.1\.", "cls_head.1.0."),
        (r"^last_layer\.", "cls_head."),
        (r"^conv3x3_ocr\.1\.", "conv3x3.1.0."),
        (r"^conv3x3_ocr\.", "conv3x3."),
        (r"^aux_head\.1\.", "aux_head.1.0."),
        (r"^aux_head\.3\.", "aux_head.2."),
        (r"^(aux_head|ocr_distri_head|cls_head)\.", r"\1."),
    ),
    convention=("bilinear", True),
    bias_free=r"^last_layer\.3\.bias$",
    # lib/models/modules/spatial_ocr_block.py: every convolution has PyTorch's default bias.
    folded=(
        (r"^(ocr_distri_head\..+)\.1\.0\.running_mean$", r"\1.0.bias"),
        (r"^(ocr_distri_head\..+)\.3\.0\.running_mean$", r"\1.2.bias"),
    ),
    channel_order="BGR",  # configs/*/H_48_D_4*.json, "input_mode"
    activated_norm=r"^(conv3x3|cls_head|aux_head)\.1\.weight$",
)
