"""HRNet for Keras 3: the network that keeps high resolution from first layer to last."""

from keras_hrnet import data, layers, training
from keras_hrnet.checkpoints import CheckpointReport, PublishedWeights, load_checkpoint, published_weights
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
    SupervisedModel,
    Variant,
    with_scales,
)
from keras_hrnet.training import train
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
    "PublishedWeights",
    "SupervisedModel",
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
    "published_weights",
    "run_tflite",
    "train",
    "training",
    "with_scales",
]
