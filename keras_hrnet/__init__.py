"""HRNet for Keras 3: the network that keeps high resolution from first layer to last."""

from __future__ import annotations

import importlib
from typing import Any

from keras_hrnet import heads, layers, training
from keras_hrnet.checkpoints import CheckpointReport, PublishedWeights, load_checkpoint, published_weights
from keras_hrnet.evaluation import EvaluationReport, colorize, comparison, evaluate, overlay, predict, predict_video
from keras_hrnet.models import (
    HRFormerBase,
    HRFormerSmall,
    HRFormerTiny,
    HRFormerVariant,
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
    LiteHRNet18,
    LiteHRNet30,
    LiteHRNetNaive18,
    LiteHRNetWiderNaive18,
    LiteVariant,
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
    "HRFormerBase",
    "HRFormerSmall",
    "HRFormerTiny",
    "HRFormerVariant",
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
    "LiteHRNet18",
    "LiteHRNet30",
    "LiteHRNetNaive18",
    "LiteHRNetWiderNaive18",
    "LiteVariant",
    "PublishedWeights",
    "ServingReport",
    "SupervisedModel",
    "Variant",
    "__version__",
    "colorize",
    "comparison",
    "compile_for_npu",
    "data",
    "evaluate",
    "export_onnx",
    "export_openvino",
    "export_saved_model",
    "export_tflite",
    "export_web",
    "heads",
    "layers",
    "load_checkpoint",
    "optimize_for_inference",
    "overlay",
    "predict",
    "predict_video",
    "published_weights",
    "read_metadata",
    "run_tflite",
    "train",
    "training",
    "with_scales",
]

# Pipelines and exports take as long to import as everything else, and prediction needs neither. Classes that the file
# of a model may name are imported immediately, because Keras would not find them otherwise.
_IMPORTED_LATER = {
    "data": "keras_hrnet.data",
    "export": "keras_hrnet.export",
    "ExportReport": "keras_hrnet.export",
    "ServingReport": "keras_hrnet.export",
    "compile_for_npu": "keras_hrnet.export",
    "export_onnx": "keras_hrnet.export",
    "export_openvino": "keras_hrnet.export",
    "export_saved_model": "keras_hrnet.export",
    "export_tflite": "keras_hrnet.export",
    "export_web": "keras_hrnet.export",
    "read_metadata": "keras_hrnet.export",
    "run_tflite": "keras_hrnet.export",
}


def __getattr__(name: str) -> Any:
    if name not in _IMPORTED_LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_IMPORTED_LATER[name])
    return module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_IMPORTED_LATER})
