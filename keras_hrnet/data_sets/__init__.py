"""Describes data sets: a TOML file for each, and the code that reads them."""

from keras_hrnet.data_sets.classes import IGNORE_LABEL, Classes, palette
from keras_hrnet.data_sets.data_set import DataSet, Layout
from keras_hrnet.data_sets.label_values import LabelValues
from keras_hrnet.data_sets.published import DATA_SETS

__all__ = ["DATA_SETS", "IGNORE_LABEL", "Classes", "DataSet", "LabelValues", "Layout", "palette"]
