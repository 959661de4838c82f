"""Names of the SSLD files: PaddleClas's distilled ImageNet weights, as the official repository and timm store them."""

from keras_hrnet.checkpoints.naming import official
from keras_hrnet.checkpoints.naming.format import Format

_BIASES = r"^(downsamp_modules\.\d|final_layer)\.0\.bias$"

# timm/models/hrnet.py, `head_conv_bias=False`.
SSLD = Format(
    "SSLD classification",
    signature=r"^(downsamp_modules|final_layer)\.",
    without=_BIASES,
    head=official.CLASSIFICATION.head,
    keys=official.AS_THEY_ARE,
    convention=("nearest", False),
    bias_free=_BIASES,
)
