"""Makes `tf.data` pipelines of images and labels from files on disk."""

from collections.abc import Callable

from keras_hrnet.data.cityscapes import cityscapes
from keras_hrnet.data.data_set import data_set, reader_of
from keras_hrnet.data.files.survey import check
from keras_hrnet.data.folders import folders
from keras_hrnet.data.shares import class_shares, class_weights
from keras_hrnet.data.transforms.augmentation import Augmentation
from keras_hrnet.data_sets import DATA_SETS
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
    "data_set",
    "folders",
    "synthesize",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *DATA_SETS})


def __getattr__(name: str) -> Callable:
    if name in DATA_SETS:
        return reader_of(DATA_SETS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
