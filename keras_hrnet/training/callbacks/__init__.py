"""What happens around the steps of `fit`: bars, logs, curves, pictures, checkpoints, averages."""

from keras_hrnet.training.callbacks.averaging import AveragedWeights, averaged_weights
from keras_hrnet.training.callbacks.checkpoints import Checkpoints
from keras_hrnet.training.callbacks.curves import Curves
from keras_hrnet.training.callbacks.divergence import StopAtNaN
from keras_hrnet.training.callbacks.learning_rate import LearningRate
from keras_hrnet.training.callbacks.progress import TrainingProgress
from keras_hrnet.training.callbacks.tensorboard import PredictionImages, Scalars

__all__ = [
    "AveragedWeights",
    "Checkpoints",
    "Curves",
    "LearningRate",
    "PredictionImages",
    "Scalars",
    "StopAtNaN",
    "TrainingProgress",
    "averaged_weights",
]
