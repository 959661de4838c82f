"""The classes of a training are those of its network, or of its data where nobody has named the network's."""

import keras
import pytest

from keras_hrnet.data_sets import Classes
from keras_hrnet.data_sets.cityscapes import CITYSCAPES, CLASS_NAMES
from keras_hrnet.models.network import Network
from keras_hrnet.training.classes import classes_of_data, common_classes

pytestmark = pytest.mark.once

ABC = Classes(("a", "b", "c"), ignore_label=254)
OTHER_IGNORED = Classes(ABC.names)


class Data:
    def __init__(self, classes=None):
        self.classes = classes


def network(classes=None):
    image = keras.Input((None, None, 3))
    model = Network(image, keras.layers.Conv2D(3, 1, data_format="channels_last")(image), name="small")
    if classes is not None:
        model.classes = classes
    return model


@pytest.mark.parametrize(
    ("own", "train", "val", "expected"),
    [
        (None, ABC, ABC, ABC),
        (None, None, ABC, ABC),
        (None, ABC, None, ABC),
        (None, None, None, Classes.unnamed(3)),
        (ABC, None, None, ABC),
        (ABC, Classes(ABC.names, ((1, 2, 3),) * 3, 254), None, ABC),
        (ABC, Classes(Classes.unnamed(3).names, ignore_label=254), None, ABC),
    ],
    ids=range(7),
)
def test_they_are_those_that_somebody_named(own, train, val, expected):
    assert common_classes(network(own), Data(train), Data(val)) == expected


@pytest.mark.parametrize(
    ("own", "train", "val", "message"),
    [
        (None, "abc", "axc", "class 1 is 'b' in training and 'x' in validation"),
        (None, "abc", "ab", "of 3 classes and validation data of 2, where class 2 is 'c' .*None"),
        (None, ABC, OTHER_IGNORED, "training data .* the label 254, and validation data where they have 255"),
        (None, "abcd", "abcd", "`train` of 4 classes for the network 'small' with 3.*num_classes=4"),
        (None, None, "ab", "`val` of 2 classes for the network 'small' with 3.*num_classes=2"),
        (ABC, Classes(tuple("abx"), ignore_label=254), None, "`train`, whose class 2 is 'x', .* whose class 2 is 'c'.*"
         r"Build a network for these classes\. If only .* set model\.classes = train\.classes"),
        (ABC, None, OTHER_IGNORED, "`val`, whose ignored pixels .* 255, for .* 'small', which ignores 254"),
    ],
    ids=range(7),
)  # fmt: skip
def test_others_are_refused(own, train, val, message):
    train, val = (Data(Classes(tuple(known)) if isinstance(known, str) else known) for known in (train, val))
    with pytest.raises(ValueError, match=message):
        common_classes(network(own), train, val)


def test_data_may_note_names_alone():
    data = Data()
    data.class_names = list(CLASS_NAMES)
    assert classes_of_data(data) == CITYSCAPES.classes
    del data.class_names
    data.classes = [0, 1]  # Of a Keras iterator, the class of each image.
    assert classes_of_data(data) is None
