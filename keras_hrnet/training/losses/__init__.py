"""What training minimizes: losses of the logits and the label of every pixel, as published."""

from keras_hrnet.training.losses.cross_entropy import CrossEntropy
from keras_hrnet.training.losses.ohem_cross_entropy import OhemCrossEntropy
from keras_hrnet.training.losses.region_mutual_information import RegionMutualInformation

__all__ = ["CrossEntropy", "OhemCrossEntropy", "RegionMutualInformation"]
