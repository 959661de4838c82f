import pytest

from keras_hrnet.data_sets import DATA_SETS, Classes

pytestmark = pytest.mark.once

NAMES = ("body", "left arm", "right arm", "left leg", "right leg")


def test_pairs_change_places_in_a_mirrored_image():
    assert Classes(NAMES, mirrored=((1, 2), (4, 3))).mirrored_ids == (0, 2, 1, 4, 3)
    assert Classes(NAMES).mirrored_ids is None


def test_lip_mirrors_arms_legs_and_shoes():
    classes = DATA_SETS["lip"].classes
    pairs = [(classes.names[left], classes.names[right]) for left, right in classes.mirrored]
    assert pairs == [("Left-arm", "Right-arm"), ("Left-leg", "Right-leg"), ("Left-shoe", "Right-shoe")]
    assert not [name for name, row in DATA_SETS.items() if row.classes.mirrored and name != "lip"]


def test_a_dictionary_holds_pairs_where_there_are_any():
    classes = Classes(NAMES, mirrored=[[1, 2]])
    assert classes.to_dict()["mirrored"] == [[1, 2]]
    assert Classes(**classes.to_dict()) == classes
    assert set(Classes(NAMES).to_dict()) == {"names", "colors", "ignore_label"}


@pytest.mark.parametrize("pairs", [((1, 5),), ((-1, 2),), ((1, 2), (2, 3)), ((1, 1),), ((1, 2, 3),)])
def test_pairs_are_of_two_classes_that_are_in_no_other(pairs):
    with pytest.raises(
        ValueError, match=r"Received mirrored=.* for 5 classes. Expected pairs of train ids from 0 to 4"
    ):
        Classes(NAMES, mirrored=pairs)
