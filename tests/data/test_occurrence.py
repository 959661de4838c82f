"""Masks from which nothing can be learned, or not every class, are reported."""

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data import data_set, folders
from keras_hrnet.data.label_coding import coding_of
from keras_hrnet.data.occurrence import fault_of, missing_classes
from keras_hrnet.data_sets import DATA_SETS

pytestmark = pytest.mark.once

NAMES = ("background", "leaf")


@pytest.fixture
def own(tmp_path):
    """Returns a function that writes photos whose masks hold one value each, and gives their folders."""

    def write(*values):
        for i, value in enumerate(values):
            for folder, pixels in (("photos", np.zeros((4, 6, 3))), ("masks", np.full((4, 6), value))):
                (tmp_path / folder).mkdir(exist_ok=True)
                Image.fromarray(pixels.astype("uint8")).save(tmp_path / folder / f"{i}.png")
        return tmp_path / "photos", tmp_path / "masks"

    return write


@pytest.mark.parametrize("augment", [True, False])
def test_masks_of_0_and_255_are_refused_until_it_is_said_what_255_is(own, augment):
    places = own(0, 255)
    message = r"hold only 0 and 255: 255 is read as ignored.*pass id_map=\{0: 'background', 255: 'leaf'\} \(--id-map"
    with pytest.raises(ValueError, match=message):
        folders(*places, NAMES, augment=augment)
    dataset = folders(*places, NAMES, augment=augment, id_map={0: 0, 255: 1}, crop_size=(4, 6) if augment else None)
    assert dataset.missing_classes == ()
    assert folders(*places, NAMES, ignore_label=255).missing_classes == ("leaf",)


@pytest.mark.parametrize("augment", [True, False])
def test_masks_that_are_all_ignored_are_refused(own, augment):
    with pytest.raises(ValueError, match=r"photos hold no pixel of a class: all are ignored \(they hold 0\). Expected"):
        folders(*own(0, 0), NAMES, augment=augment, ignore_label=0)
    with pytest.raises(ValueError, match=r"all are ignored \(they hold 255\).*If 255 is 'leaf', pass id_map"):
        folders(*own(255, 255), NAMES, augment=augment)


@pytest.mark.parametrize("augment", [True, False])
def test_a_class_without_a_pixel_is_named_and_train_is_given_its_warning(own, augment):
    places = own(0, 1, 255)
    dataset = folders(*places, (*NAMES, "flower"), augment=augment)
    assert dataset.missing_classes == ("flower",)
    assert "photos have no pixels of 1 of 3 classes, which a network therefore cannot learn" in dataset.warning
    assert dataset.warning.partition(": ")[2].startswith("'flower'. If 255, which")
    assert folders(*places, NAMES, augment=augment).warning is None


def test_known_data_sets_say_it_as_well(tmp_path):
    for folder, pixels in (("train", np.zeros((2, 3, 3), "uint8")), ("trainannot", np.uint8([[0, 1, 2], [11, 3, 4]]))):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "a.png")
    warning = data_set(DATA_SETS["camvid"], tmp_path, "train").warning
    assert "'train' of CamVid have no pixels of 6 of 11 classes" in warning
    assert "'Tree', 'SignSymbol'" in warning


def test_what_has_not_been_looked_at_is_not_judged(own):
    dataset = folders(*own(0, 255), NAMES, verify=False)
    assert dataset.missing_classes is dataset.warning is None


def test_colors_are_the_classes_that_they_stand_for():
    coding = coding_of(("a", "b", "c"), palette=[(0, 0, 0), (0, 9, 0), (9, 0, 0)])
    occurring = frozenset([(0, 0, 0), (9, 0, 0)])
    assert missing_classes(occurring, coding) == ("b",)
    assert fault_of(occurring, coding) is None


def test_three_classes_in_0_and_255_are_no_certain_map():
    fault = fault_of(frozenset([0, 255]), coding_of(("a", "b", "c")))
    assert fault.cure.startswith("If 255 is a class, map it with id_map")
    assert fault_of(frozenset([0, 1, 255]), coding_of(("a", "b", "c"))) is None
    assert fault_of(frozenset([0, 255]), coding_of(("a",))) is None
