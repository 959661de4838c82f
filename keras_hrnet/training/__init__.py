"""Training as published: losses, optimizers, the schedule, recipes, and `train`, which runs them with Keras's `fit`."""

from keras_hrnet.distributed.distribution import distributed
from keras_hrnet.training.adamw import AdamW
from keras_hrnet.training.fitting import freeze_norm, train
from keras_hrnet.training.losses import (
    CrossEntropy,
    Dice,
    Distillation,
    FeatureDistillation,
    LovaszSoftmax,
    OhemCrossEntropy,
    RegionMutualInformation,
    SumOfLosses,
)
from keras_hrnet.training.recipe import Recipe
from keras_hrnet.training.recipes import RECIPES, parse_setting, resolve_recipe
from keras_hrnet.training.run import read_run
from keras_hrnet.training.schedule import Poly
from keras_hrnet.training.sgd import SGD

__all__ = [
    "RECIPES",
    "SGD",
    "AdamW",
    "CrossEntropy",
    "Dice",
    "Distillation",
    "FeatureDistillation",
    "LovaszSoftmax",
    "OhemCrossEntropy",
    "Poly",
    "Recipe",
    "RegionMutualInformation",
    "SumOfLosses",
    "distributed",
    "freeze_norm",
    "parse_setting",
    "read_run",
    "resolve_recipe",
    "train",
]
