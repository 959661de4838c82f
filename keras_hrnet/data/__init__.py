"""Files on disk become `tf.data` pipelines of images and labels."""

from keras_hrnet.data.cityscapes import cityscapes
from keras_hrnet.data.files.survey import check
from keras_hrnet.data.folders import folders
from keras_hrnet.data.shares import class_shares, class_weights
from keras_hrnet.data.transforms.augmentation import Augmentation
from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, CLASS_WEIGHTS
from keras_hrnet.streets.synthesis import synthesize

__all__ = [
    "CLASS_NAMES",
    "CLASS_WEIGHTS",
    "Augmentation",
    "check",
    "cityscapes",
    "class_shares",
    "class_weights",
    "folders",
    "synthesize",
]
