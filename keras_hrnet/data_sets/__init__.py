"""What is known of data sets: one file for each, plain data."""

from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes, palette

DATA_SETS = {"cityscapes": CITYSCAPES}
"""The classes of each data set, by its name."""

__all__ = ["DATA_SETS", "IGNORE_LABEL", "Classes", "palette"]
