"""Scores label images on disk as the official Cityscapes evaluator does, to the last digits, and faster."""

from keras_hrnet.evaluation.official.pair import InstanceCounts, PairCounts, count_pair
from keras_hrnet.evaluation.official.scores import CityscapesScores
from keras_hrnet.evaluation.official.scoring import score_predictions

__all__ = [
    "CityscapesScores",
    "InstanceCounts",
    "PairCounts",
    "count_pair",
    "score_predictions",
]
