"""Evaluates networks: scores, predictions, and pictures of them."""

from keras_hrnet.evaluation.boundary import BoundaryCounts, boundary_counts
from keras_hrnet.evaluation.confusion import confusion_matrix, intersection_over_union
from keras_hrnet.evaluation.html import write_html
from keras_hrnet.evaluation.mean_iou import MeanIoU
from keras_hrnet.evaluation.official import CityscapesScores, score_predictions
from keras_hrnet.evaluation.photos import read_image
from keras_hrnet.evaluation.pictures import colorize, comparison, overlay
from keras_hrnet.evaluation.prediction import predict
from keras_hrnet.evaluation.protocol import Protocol
from keras_hrnet.evaluation.report import EvaluationReport, Example
from keras_hrnet.evaluation.scoring import evaluate
from keras_hrnet.evaluation.video import PredictedFrame, predict_video
from keras_hrnet.models.network import labels_model

__all__ = [
    "BoundaryCounts",
    "CityscapesScores",
    "EvaluationReport",
    "Example",
    "MeanIoU",
    "PredictedFrame",
    "Protocol",
    "boundary_counts",
    "colorize",
    "comparison",
    "confusion_matrix",
    "evaluate",
    "intersection_over_union",
    "labels_model",
    "overlay",
    "predict",
    "predict_video",
    "read_image",
    "score_predictions",
    "write_html",
]
