"""Callbacks of `fit`: progress bars, logs, curves, pictures, checkpoints and averaged weights."""

from keras_hrnet.training.callbacks.averaging import AveragedWeights, averaged_weights
from keras_hrnet.training.callbacks.checkpoints import Checkpoints
from keras_hrnet.training.callbacks.curves import Curves
from keras_hrnet.training.callbacks.divergence import StopAtNaN
from keras_hrnet.training.callbacks.early_stop import EarlyStop
from keras_hrnet.training.callbacks.full_disk import DespiteFullDisk
from keras_hrnet.training.callbacks.learning_rate import LearningRate
from keras_hrnet.training.callbacks.log import Log
from keras_hrnet.training.callbacks.progress import TrainingProgress
from keras_hrnet.training.callbacks.saves import Saves
from keras_hrnet.training.callbacks.tensorboard import PredictionImages, Scalars

__all__ = [
    "AveragedWeights",
    "Checkpoints",
    "Curves",
    "DespiteFullDisk",
    "EarlyStop",
    "LearningRate",
    "Log",
    "PredictionImages",
    "Saves",
    "Scalars",
    "StopAtNaN",
    "TrainingProgress",
    "averaged_weights",
]
