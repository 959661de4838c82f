"""Names of open-mmlab/mmsegmentation: HRNet with `FCNHead`, and the cascade of `FCNHead` and `OCRHead`."""

from keras_hrnet.checkpoints.naming.format import Format
from keras_hrnet.checkpoints.naming.prefixed import BACKBONE_KEYS, OUTSIDE_BACKBONE

_OBJECTS = "decode_head.1.object_context_block."
_THEIR_OBJECTS = r"^ocr_distri_head\.object_context_block\."

# mmseg/models/decode_heads/fcn_head.py and ocr_head.py, mmseg/models/utils/self_attention_block.py: a `ConvModule`
# holds `conv` and `bn`, and its convolution has no bias, because a normalization follows.
MMSEGMENTATION = Format(
    "mmsegmentation",
    signature=r"^decode_head\.",
    head=OUTSIDE_BACKBONE,
    keys=(
        BACKBONE_KEYS,
        (r"^last_layer\.0\.", "decode_head.convs.0.conv."),
        (r"^last_layer\.1\.", "decode_head.convs.0.bn."),
        (r"^last_layer\.3\.", "decode_head.conv_seg."),
        (r"^aux_head\.0\.", "decode_head.0.convs.0.conv."),
        (r"^aux_head\.1\.", "decode_head.0.convs.0.bn."),
        (r"^aux_head\.3\.", "decode_head.0.conv_seg."),
        (r"^conv3x3_ocr\.0\.", "decode_head.1.bottleneck.conv."),
        (r"^conv3x3_ocr\.1\.", "decode_head.1.bottleneck.bn."),
        (rf"{_THEIR_OBJECTS}f_pixel\.0\.", f"{_OBJECTS}query_project.0.conv."),
        (rf"{_THEIR_OBJECTS}f_pixel\.1\.0\.", f"{_OBJECTS}query_project.0.bn."),
        (rf"{_THEIR_OBJECTS}f_pixel\.2\.", f"{_OBJECTS}query_project.1.conv."),
        (rf"{_THEIR_OBJECTS}f_pixel\.3\.0\.", f"{_OBJECTS}query_project.1.bn."),
        (rf"{_THEIR_OBJECTS}f_object\.0\.", f"{_OBJECTS}key_project.0.conv."),
        (rf"{_THEIR_OBJECTS}f_object\.1\.0\.", f"{_OBJECTS}key_project.0.bn."),
        (rf"{_THEIR_OBJECTS}f_object\.2\.", f"{_OBJECTS}key_project.1.conv."),
        (rf"{_THEIR_OBJECTS}f_object\.3\.0\.", f"{_OBJECTS}key_project.1.bn."),
        (rf"{_THEIR_OBJECTS}f_down\.0\.", f"{_OBJECTS}value_project.conv."),
        (rf"{_THEIR_OBJECTS}f_down\.1\.0\.", f"{_OBJECTS}value_project.bn."),
        (rf"{_THEIR_OBJECTS}f_up\.0\.", f"{_OBJECTS}out_project.conv."),
        (rf"{_THEIR_OBJECTS}f_up\.1\.0\.", f"{_OBJECTS}out_project.bn."),
        (r"^ocr_distri_head\.conv_bn_dropout\.0\.", f"{_OBJECTS}bottleneck.conv."),
        (r"^ocr_distri_head\.conv_bn_dropout\.1\.0\.", f"{_OBJECTS}bottleneck.bn."),
        (r"^cls_head\.", "decode_head.1.conv_seg."),
    ),
    convention=("bilinear", False),  # mmseg/models/backbones/hrnet.py; configs/_base_/models/{fcn,ocrnet}_hr18.py
    bias_free=r"^(last_layer|aux_head|conv3x3_ocr)\.0\.bias$",
)
