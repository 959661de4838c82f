"""Names of HRNet/Lite-HRNet: its networks for key points, in the framework of mmpose."""

from keras_hrnet.checkpoints.naming.format import Format
from keras_hrnet.checkpoints.naming.prefixed import BACKBONE_KEYS

# models/backbones/litehrnet.py, `IterativeHead`; configs/top_down, `keypoint_head`.
LITE_HRNET = Format(
    "Lite-HRNet for key points",
    signature=r"^backbone\.head_layer\.",
    head=r"^(?!backbone\.)|^backbone\.head_layer\.",
    keys=(BACKBONE_KEYS, (r"^head_layer\.", "backbone.head_layer."), (r"^keypoint_head\.", "keypoint_head.")),
    task="key points",
)
