import numpy as np
import pytest
from PIL import Image

from keras_hrnet.cli.data_options import DataOptions, parse_classes, parse_id_map, parse_ignore_label, parse_palette
from keras_hrnet.data_sets import DATA_SETS, Classes
from keras_hrnet.streets.synthesis import synthesize

pytestmark = pytest.mark.once


@pytest.fixture
def own(tmp_path):
    """Options of ten photos and binary masks of 0 and 255."""
    for i in range(10):
        for folder, pixels in (("photos", np.full((4, 6, 3), i)), ("masks", np.full((4, 6), 255 * (i % 2)))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype("uint8")).save(tmp_path / folder / f"{i}.png")
    return {"images": tmp_path / "photos", "masks": str(tmp_path / "masks"), "classes": "background,leaf"}


def test_ones_own_images_have_the_classes_that_the_options_say(own):
    dataset = DataOptions(**own, id_map="0:background,255:leaf").dataset("val", augment=False)
    assert dataset.class_names == ("background", "leaf")
    assert [int(label[0, 0, 0]) for _, label in dataset] == [0, 1] * 5


def test_a_share_is_validated_on_and_the_rest_trained_on(own):
    options = DataOptions(**own, id_map="0=background,255=leaf", val_share=0.2)
    assert options.has_validation
    parts = [options.dataset(split, augment=False).image_names for split in ("train", "val")]
    assert [len(part) for part in parts] == [8, 2]
    assert sorted(sum(parts, ())) == [str(i) for i in range(10)]


def test_images_to_validate_on_are_read_for_val_alone(own, tmp_path):
    options = DataOptions(**own, val_images="v", val_masks="m")
    assert options.folders_of("val") == ("v", "m")
    assert options.folders_of("train") == (tmp_path / "photos", str(tmp_path / "masks"))
    assert not DataOptions(**own).has_validation


def test_a_known_data_set_is_read_by_its_row(tmp_path):
    root = synthesize(tmp_path / "streets", num_train=1, num_val=1, num_test=0, size=(64, 128)).root
    assert len(DataOptions(root).dataset("val").class_names) == 19
    for folder, pixels in (("val", np.zeros((4, 6, 3), "uint8")), ("valannot", np.full((4, 6), 10, "uint8"))):
        (tmp_path / "camvid" / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "camvid" / folder / "a.png")
    options = DataOptions(tmp_path / "camvid", "camvid")
    ((_, label),) = options.dataset("val")
    assert options.coding.classes is DATA_SETS["camvid"].classes
    assert np.unique(label).tolist() == [10]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Received no data. Expected either --data"),
        ({"data": "a", "images": "b", "masks": "c"}, "Received --data a, --images b, --masks c. Expected either"),
        ({"data": "a", "ignore_label": "0"}, "Received --data a, --ignore-label 0. Expected either --data"),
        ({"data": "a", "data_set": "camvit"}, "Received --data-set camvit"),
        ({"images": "a"}, "Received --images a without --masks. Expected both"),
        (
            {"images": "a", "masks": "b", "val_masks": "c"},
            "Received --val-masks c without --val-images. Expected both",
        ),
        ({"images": "a", "masks": "b", "id_map": "0:x"}, "without --classes"),
        ({"images": "a", "masks": "b", "classes": "x,y", "id_map": "0:z"}, "one of the names x, y"),
        ({"images": "a", "masks": "b", "classes": "300"}, "Received 300 classes. Expected 1 to 254"),
        ({"images": "a", "masks": "b", "val_images": "c", "val_masks": "d", "val_share": 0.2}, "Expected one of them"),
    ],
    ids=range(10),
)
def test_options_that_do_not_go_together_are_refused_before_any_file_is_read(options, message):
    with pytest.raises(ValueError, match=message):
        DataOptions(**options)


def test_classes_have_to_be_said_to_make_a_dataset(own):
    with pytest.raises(ValueError, match="without --classes"):
        DataOptions(images=own["images"], masks=own["masks"]).dataset("val")


def test_classes_are_names_a_number_or_a_data_set():
    assert parse_classes("leaf, flower").names == ("leaf", "flower")
    assert parse_classes("3") == Classes.unnamed(3)
    assert parse_classes("camvid") is DATA_SETS["camvid"].classes
    assert parse_classes(DATA_SETS["camvid"].classes) is DATA_SETS["camvid"].classes


def test_ignored_values_are_integers_or_none():
    assert parse_ignore_label("255, 0") == (255, 0)
    assert parse_ignore_label("none") == ()
    assert parse_ignore_label(None) is None
    with pytest.raises(ValueError, match="Received --ignore-label 'void'"):
        parse_ignore_label("void")


@pytest.mark.parametrize("text", ["0:sky,255:1", ' {"0": "sky", "255": 1} ', "0 = sky, 255 = 1", "0:sky\n255:1\n"])
def test_a_map_of_values_is_read_as_people_write_it(text, tmp_path):
    assert parse_id_map(text) == {0: "sky", 255: 1}
    (tmp_path / "map.json").write_text(text)
    assert parse_id_map(str(tmp_path / "map.json")) == {0: "sky", 255: 1}


@pytest.mark.parametrize("text", ["sky", "", "a:b", "0:sky,,1", "0:a,0:b"])
def test_what_is_no_map_is_refused(text):
    with pytest.raises(ValueError, match="Received --id-map"):
        parse_id_map(text)


@pytest.mark.parametrize(
    "text",
    ["#0a0000,#00C8ff", "10,0,0;0,200,255", "[[10, 0, 0], [0, 200, 255]]", "10 0 0\n0 200 255\n", "10:0:0,0:200:255"],
)
def test_a_palette_is_read_as_people_write_it(text, tmp_path):
    assert parse_palette(text) == [(10, 0, 0), (0, 200, 255)]
    (tmp_path / "colors.txt").write_text(text)
    assert parse_palette(str(tmp_path / "colors.txt")) == [(10, 0, 0), (0, 200, 255)]


@pytest.mark.parametrize("text", ["red", "1,2", "#12345", "", "0,0,0;-1,0,0"])
def test_what_is_no_palette_is_refused(text):
    with pytest.raises(ValueError, match="Received --palette"):
        parse_palette(text)


def test_one_class_is_refused_with_what_to_call_the_rest():
    with pytest.raises(ValueError, match=r"Expected at least two, because .* Pass --classes background,road"):
        parse_classes("road")
    with pytest.raises(ValueError, match=r"Received --classes 1, a single class"):
        parse_classes("1")


def test_folders_that_do_not_match_are_refused_before_keras_is_imported(tmp_path):
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for path in ("photos/a.png", "photos/b.png", "masks/a.png"):
        Image.fromarray(np.zeros((4, 4), "uint8")).save(tmp_path / path)
    options = {"images": tmp_path / "photos", "masks": tmp_path / "masks", "val_share": 0.5, "classes": "road,sky"}
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        DataOptions(**options).check_files("train", "val")
    (tmp_path / "photos" / "b.png").unlink()
    with pytest.raises(ValueError, match=r"val_share=0\.5 for 1 images"):
        DataOptions(**options).check_files("train", "val")
    with pytest.raises(ValueError, match="a share between 0 and 1"):
        DataOptions(**{**options, "val_share": 1.5}).check_files("train", "val")
