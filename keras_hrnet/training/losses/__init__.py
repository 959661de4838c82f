"""The losses that training minimizes, computed from the logits and the label of every pixel, as published."""

from keras_hrnet.training.losses.cross_entropy import CrossEntropy
from keras_hrnet.training.losses.distillation import Distillation
from keras_hrnet.training.losses.feature_distillation import FeatureDistillation
from keras_hrnet.training.losses.ohem_cross_entropy import OhemCrossEntropy
from keras_hrnet.training.losses.overlap import Dice, LovaszSoftmax
from keras_hrnet.training.losses.region_mutual_information import RegionMutualInformation
from keras_hrnet.training.losses.sum_of_losses import SumOfLosses

__all__ = [
    "CrossEntropy",
    "Dice",
    "Distillation",
    "FeatureDistillation",
    "LovaszSoftmax",
    "OhemCrossEntropy",
    "RegionMutualInformation",
    "SumOfLosses",
]
