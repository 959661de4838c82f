import pytest

from keras_hrnet.data.label_coding import coding_of, coding_of_data_set
from keras_hrnet.data_sets import Classes, palette
from keras_hrnet.data_sets.cityscapes import CITYSCAPES, PALETTE

pytestmark = pytest.mark.once


def test_cityscapes_has_its_19_classes_and_the_values_of_its_table():
    coding = coding_of_data_set(CITYSCAPES)
    assert coding.classes is CITYSCAPES.classes
    assert coding.palette == PALETTE
    assert coding.train_id_of_value[7] == 0
    assert coding.known_values == (*range(34), 255)


def test_names_are_numbered_from_0_and_255_is_ignored():
    coding = coding_of(("background", "leaf"))
    assert coding.classes == Classes(("background", "leaf"))
    assert coding.train_id_of_value == (0, 1, *[254] * 253, 255)
    assert coding.known_values == (0, 1, 255)


def test_a_number_of_classes_is_enough():
    assert coding_of(3).classes == Classes.unnamed(3)
    assert coding_of(254).known_values == (*range(254), 255)


def test_an_ignored_value_takes_the_place_of_its_number():
    assert coding_of(3, ignore_label=0).train_id_of_value[:4] == (255, 1, 2, 254)
    assert coding_of(2, ignore_label=(9, 11)).known_values == (0, 1, 9, 11)
    assert coding_of(2, ignore_label=()).known_values == (0, 1)


def test_a_map_that_makes_255_a_class_is_not_contradicted_by_the_default():
    coding = coding_of(("background", "leaf"), id_map={0: "background", 255: "leaf"})
    assert coding.known_values == (0, 255)
    assert coding.train_id_of_value[255] == 1


def test_a_map_takes_train_ids_and_names():
    coding = coding_of(("background", "leaf"), id_map={0: "background", 128: 255, 255: 1}, ignore_label=None)
    assert [coding.train_id_of_value[value] for value in (0, 1, 128, 255)] == [0, 254, 255, 1]


def test_two_values_can_be_one_class():
    assert coding_of(2, id_map={3: 0, 4: 0, 5: 1}).train_id_of_value[3:6] == (0, 0, 1)


def test_the_colors_that_label_images_are_read_by_are_those_of_the_classes():
    coding = coding_of(2, palette=[[0, 0, 0], (1, 2, 3)])
    assert coding.palette == coding.classes.colors == ((0, 0, 0), (1, 2, 3))
    assert (coding_of(2).palette, coding_of(2).classes.colors) == (None, palette(2))


def test_a_reading_is_called_what_it_always_was():
    assert coding_of(("a",), palette=[(1, 2, 3)]).reading == f"(0, {'254, ' * 254}255) ((1, 2, 3),)"
    assert coding_of(1).reading == f"(0, {'254, ' * 254}255) None"
    ids = "255, " * 7 + "0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255, 255, "
    ids += "16, 17, 18, " + "254, " * 221 + "255"
    assert coding_of_data_set(CITYSCAPES).reading == f"({ids}) {PALETTE}"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"classes": 0}, ValueError, "Received 0 classes. Expected 1 to 254"),
        ({"classes": 255}, ValueError, "Received 255 classes. Expected 1 to 254"),
        ({"classes": "leaf"}, TypeError, "classes='leaf'. Expected a number or a sequence of names"),
        ({"classes": 2.0}, TypeError, "classes=2.0. Expected a sequence"),
        ({"classes": True}, TypeError, "classes=True. Expected a sequence"),
        ({"classes": [1, 2]}, TypeError, r"classes=\[1, 2\]. Expected a number or a sequence of names"),
        ({"classes": ("leaf", "leaf")}, ValueError, "the class name 'leaf' more than once"),
        (
            {"ignore_label": 256},
            ValueError,
            "ignore_label with the stored value 256. Expected an integer from 0 to 255",
        ),
        ({"ignore_label": 1.5}, TypeError, "ignore_label=1.5. Expected a sequence"),
        ({"id_map": [0, 1]}, TypeError, r"id_map=\[0, 1\]. Expected a dict"),
        ({"id_map": {300: 0}}, ValueError, "id_map with the stored value 300"),
        ({"id_map": {0: 2}}, ValueError, "id_map with 0 → 2. Expected a train id from 0 to 1, 255 .*class 0, class 1"),
        ({"id_map": {0: "leef"}}, ValueError, "id_map with 0 → 'leef'"),
        (
            {"id_map": {0: 0, 255: 1}, "ignore_label": 255},
            ValueError,
            "ignore_label=255 and id_map=.*the value 255 is both a class and ignored",
        ),
        ({"palette": [(0, 0, 0)]}, ValueError, "palette of 1 colors for 2 classes"),
        ({"palette": [(0, 0, 0), (0, 0, 0)]}, ValueError, "Expected a different .red, green, blue. for each class"),
        ({"palette": [(0, 0), (1, 1)]}, ValueError, "Expected a different .red, green, blue. for each class"),
        ({"palette": [(0, 0, 0), (0, 0, 256)]}, ValueError, "palette with the stored value 256"),
        ({"palette": 3}, TypeError, "palette=3. Expected a sequence"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        coding_of(**{"classes": 2, **arguments})
