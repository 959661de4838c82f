"""What is known of data sets: one file for each, plain data."""

from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes, palette
from keras_hrnet.data_sets.data_set import DataSet, Layout
from keras_hrnet.data_sets.label_values import LabelValues

DATA_SETS = {data_set.name: data_set for data_set in (CITYSCAPES,)}
"""The data sets by name; `keras_hrnet.data` has a function of that name for each."""

__all__ = ["DATA_SETS", "IGNORE_LABEL", "Classes", "DataSet", "LabelValues", "Layout", "palette"]
