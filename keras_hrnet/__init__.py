"""HRNet for Keras 3: the network that keeps high resolution from first layer to last."""

from keras_hrnet import data, layers, training
from keras_hrnet.checkpoints import CheckpointReport, PublishedWeights, load_checkpoint, published_weights
from keras_hrnet.evaluation import EvaluationReport, colorize, comparison, evaluate, overlay, predict
from keras_hrnet.export import (
    ExportReport,
    ServingReport,
    export_onnx,
    export_saved_model,
    export_tflite,
    read_metadata,
    run_tflite,
)
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
    optimize_for_inference,
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
    "ServingReport",
    "SupervisedModel",
    "Variant",
    "__version__",
    "colorize",
    "comparison",
    "data",
    "evaluate",
    "export_onnx",
    "export_saved_model",
    "export_tflite",
    "layers",
    "load_checkpoint",
    "optimize_for_inference",
    "overlay",
    "predict",
    "published_weights",
    "read_metadata",
    "run_tflite",
    "train",
    "training",
    "with_scales",
]
