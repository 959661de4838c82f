"""Files on disk become `tf.data` pipelines of images and labels."""

from keras_hrnet.data.cityscapes import cityscapes
from keras_hrnet.data.synthetic import synthesize
from keras_hrnet.labels import CLASS_NAMES, CLASS_WEIGHTS

__all__ = ["CLASS_NAMES", "CLASS_WEIGHTS", "cityscapes", "synthesize"]
