"""Reads weight files of other code safely, and reports on each key."""

from keras_hrnet.checkpoints.choice import ChosenWeights, choose_weights
from keras_hrnet.checkpoints.description import Description, describe_checkpoint
from keras_hrnet.checkpoints.download import download
from keras_hrnet.checkpoints.loading import load_checkpoint
from keras_hrnet.checkpoints.published import PublishedWeights, identify, published_weights
from keras_hrnet.checkpoints.report import CheckpointReport

__all__ = [
    "CheckpointReport",
    "ChosenWeights",
    "Description",
    "PublishedWeights",
    "choose_weights",
    "describe_checkpoint",
    "download",
    "identify",
    "load_checkpoint",
    "published_weights",
]
