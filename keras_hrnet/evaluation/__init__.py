"""How good a network is, and what its answers look like: scores, predictions, pictures."""

from keras_hrnet.evaluation.confusion import confusion_matrix, intersection_over_union
from keras_hrnet.evaluation.inference import labels_model
from keras_hrnet.evaluation.mean_iou import MeanIoU
from keras_hrnet.evaluation.pictures import colorize, comparison, overlay
from keras_hrnet.evaluation.prediction import predict, read_image
from keras_hrnet.evaluation.report import EvaluationReport
from keras_hrnet.evaluation.scoring import evaluate

__all__ = [
    "EvaluationReport",
    "MeanIoU",
    "colorize",
    "comparison",
    "confusion_matrix",
    "evaluate",
    "intersection_over_union",
    "labels_model",
    "overlay",
    "predict",
    "read_image",
]
