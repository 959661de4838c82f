"""Names of a backbone inside another network: the official names with the prefix `backbone.`."""

from keras_hrnet.checkpoints.naming.format import Format
from keras_hrnet.families import WEIGHT_PATTERN

BACKBONE_KEYS = (f"(?={WEIGHT_PATTERN})", "backbone.")
OUTSIDE_BACKBONE = r"^(?!backbone\.)"

# The other parts differ between projects; only the backbone can be loaded.
PREFIXED_BACKBONE = Format(
    "backbone of another network", signature=r"^backbone\.", head=OUTSIDE_BACKBONE, keys=(BACKBONE_KEYS,)
)
