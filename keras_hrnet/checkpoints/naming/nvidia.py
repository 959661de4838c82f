"""Names of NVIDIA/semantic-segmentation: `OCRNet`, and `MscaleOCR` with its attention over scales."""

from keras_hrnet.checkpoints.naming.format import Format
from keras_hrnet.checkpoints.naming.prefixed import BACKBONE_KEYS, OUTSIDE_BACKBONE

# network/ocrnet.py, `OCR_block`; `BNReLU` (network/utils.py) is a separate sequence, hence the additional index.
NVIDIA = Format(
    "NVIDIA semantic-segmentation",
    signature=r"^(ocr|scale_attn)\.",
    head=OUTSIDE_BACKBONE,
    keys=(
        BACKBONE_KEYS,
        (r"^(conv3x3_ocr|aux_head)\.1\.", r"ocr.\1.1.0."),
        (r"^aux_head\.3\.", r"ocr.aux_head.2."),
        (r"^(conv3x3_ocr|aux_head|ocr_distri_head|cls_head)\.", r"ocr.\1."),
        (r"^scale_attn\.", r"scale_attn."),
    ),
    convention=("bilinear", False),  # config.py, `__C.MODEL.ALIGN_CORNERS`
)
