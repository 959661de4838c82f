"""HRNet for Keras 3: the network that keeps high resolution from first layer to last."""

from keras_hrnet.checkpoints import load_checkpoint
from keras_hrnet.models import (
    HRNet,
    HRNetW18,
    HRNetW18Small,
    HRNetW18SmallV2,
    HRNetW30,
    HRNetW32,
    HRNetW40,
    HRNetW44,
    HRNetW48,
    HRNetW64,
    Variant,
)
from keras_hrnet.version import __version__

__all__ = [
    "HRNet",
    "HRNetW18",
    "HRNetW18Small",
    "HRNetW18SmallV2",
    "HRNetW30",
    "HRNetW32",
    "HRNetW40",
    "HRNetW44",
    "HRNetW48",
    "HRNetW64",
    "Variant",
    "__version__",
    "load_checkpoint",
]
