import dataclasses
import itertools

import numpy as np
import pytest

from keras_hrnet.data_sets import DATA_SETS, IGNORE_LABEL, Classes, palette

pytestmark = pytest.mark.once

NAMES = ("body", "left arm", "right arm", "left leg", "right leg")


def test_classes_without_colors_get_a_palette():
    classes = Classes(["sky", "road"])
    assert classes == Classes(("sky", "road"), palette(2), IGNORE_LABEL)
    assert classes.names == ("sky", "road")


def test_what_json_holds_of_them_makes_them_again():
    classes = Classes(("sky", "road"), [[1, 2, 3], (4, 5, 6)], ignore_label=7)
    assert Classes(**classes.to_dict()) == classes
    assert classes.to_dict() == {"names": ["sky", "road"], "colors": [[1, 2, 3], [4, 5, 6]], "ignore_label": 7}


def test_classes_that_nobody_named_are_numbered():
    assert Classes.unnamed(2).names == ("class 0", "class 1")
    assert not Classes.unnamed(2).are_named
    assert dataclasses.replace(Classes.unnamed(2), names=("class 0", "road")).are_named


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"names": "sky"}, TypeError, "class names 'sky'. Expected a sequence of texts"),
        ({"names": (1, 2)}, TypeError, r"class names \(1, 2\). Expected a sequence of texts"),
        ({"names": ()}, ValueError, "no class names. Expected one for each class"),
        ({"names": ("sky", "road", "sky")}, ValueError, "the class name 'sky' more than once"),
        ({"names": ("sky\x1b[2J",)}, ValueError, r"the class name 'sky\\x1b\[2J'\. Expected a name without control"),
        ({"names": ("sky",), "colors": ()}, ValueError, "palette of 0 colors for 1 classes"),
        (
            {"names": ("sky",), "colors": ((0, 0, 256),)},
            ValueError,
            r"color \(0, 0, 256\). Expected red",
        ),
        ({"names": ("sky",), "colors": ((0, 0),)}, ValueError, r"color \(0, 0\)"),
    ],
)
def test_what_are_no_classes_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Classes(**arguments)


@pytest.mark.parametrize("count", [1, 2, 19, 150, 1000])
def test_the_colors_of_a_palette_are_distinct_and_none_is_gray_or_black(count):
    colors = palette(count)
    assert len(set(colors)) == count
    assert all(max(color) - min(color) > 20 and 0 <= min(color) <= max(color) <= 255 for color in colors)


def test_the_colors_of_a_palette_are_well_apart_and_begin_alike_for_any_number():
    assert palette(150)[:19] == palette(19)
    distances = [np.linalg.norm(np.subtract(*pair)) for pair in itertools.combinations(palette(19), 2)]
    assert min(distances) > 60


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
