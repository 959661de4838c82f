"""HRNet for Keras 3: the network that keeps high resolution from first layer to last."""

from keras_hrnet import data, layers
from keras_hrnet.checkpoints import CheckpointReport, load_checkpoint
from keras_hrnet.evaluation import EvaluationReport, colorize, comparison, evaluate, overlay, predict
from keras_hrnet.export import ExportReport, export_tflite, run_tflite
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
    with_scales,
)
from keras_hrnet.version import __version__

__all__ = [
    "CheckpointReport",
    "EvaluationReport",
    "ExportReport",
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
    "colorize",
    "comparison",
    "data",
    "evaluate",
    "export_tflite",
    "layers",
    "load_checkpoint",
    "overlay",
    "predict",
    "run_tflite",
    "with_scales",
]
