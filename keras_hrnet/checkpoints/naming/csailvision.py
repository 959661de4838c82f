"""Names of CSAILVision/semantic-segmentation-pytorch: HRNetV2 as the encoder, with the decoder C1."""

from keras_hrnet.checkpoints.naming.format import Format
from keras_hrnet.families import WEIGHT_PATTERN

# mit_semseg/models/models.py, `SegmentationModule` and `C1`; mit_semseg/models/hrnet.py. The code saves the encoder and
# the decoder in two files, each without the prefix.
CSAILVISION = Format(
    "CSAILVision",
    signature=r"^(decoder\.)?(cbr|conv_last)\.",
    head=r"^(?!encoder\.)",
    keys=(
        (f"(?={WEIGHT_PATTERN})", "encoder."),
        (r"^last_layer\.([01])\.", r"decoder.cbr.\1."),
        (r"^last_layer\.3\.", "decoder.conv_last."),
    ),
    convention=("bilinear", False),
    bias_free=r"^last_layer\.0\.bias$",
)
