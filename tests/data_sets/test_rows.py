"""A data set is a row: written in the test alone, it is read from the disk with its names and colors."""

import dataclasses
import functools

import numpy as np
import pytest
from PIL import Image

import keras_hrnet.data
from keras_hrnet.data import data_set
from keras_hrnet.data.files.splits import list_split
from keras_hrnet.data_sets import DATA_SETS, Classes, DataSet, LabelValues, Layout

pytestmark = pytest.mark.once

BY_VALUE = DataSet(
    name="garden",
    title="Garden",
    classes=Classes(("bed", "path", "hedge"), ((90, 50, 20), (200, 180, 120), (0, 120, 40))),
    train_ids={3: 0, 7: 1, 8: 2, 9: 2, 0: 255},
    layout=Layout(
        images="photos/{split}/*/*.png",
        labels="masks/{split}/*/*_mask.png",
        split_folders={"val": "validation"},
        archives={"masks": "masks.zip"},
    ),
    num_images={"train": 3, "val": 2},
    license="Free.",
    source="Grow it.",
    class_weights=(0.5, 1.0, 2.0),
)
BY_COLOR = dataclasses.replace(
    BY_VALUE,
    name="painted_garden",
    train_ids={(1, 0, 0): 0, (0, 1, 0): 1, (0, 0, 1): 2, (0, 1, 1): 2, (0, 0, 0): 255},
    label_values=None,
)
ROWS = pytest.mark.parametrize("row", [BY_VALUE, BY_COLOR], ids=lambda row: row.name)
SIZE = (4, 6)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(pixels)).save(path)


@pytest.fixture
def garden(tmp_path):
    """Returns a function that writes the files of a row, and gives the train ids of each label image by split."""

    def written(row):
        rng, train_ids = np.random.default_rng(0), {}
        stored, ids = np.array(list(row.train_ids)), np.array(list(row.train_ids.values()))
        for split, folder in (("train", "train"), ("val", "validation")):
            for number in range(row.num_images[split]):
                name, places = f"bed{number % 2}/{number}", rng.integers(0, len(ids), SIZE)
                write(tmp_path / f"photos/{folder}/{name}.png", rng.integers(0, 256, (*SIZE, 3)))
                write(tmp_path / f"masks/{folder}/{name}_mask.png", stored[places])
                train_ids.setdefault(split, {})[name] = ids[places]
        return {split: [of_split[name] for name in sorted(of_split)] for split, of_split in train_ids.items()}

    return written


@ROWS
def test_its_files_are_read_with_its_names_and_colors(row, garden, tmp_path):
    train_ids = garden(row)
    train_ids["trainval"] = train_ids["train"] + train_ids["val"]
    for split, expected in train_ids.items():
        dataset = data_set(row, tmp_path, split, augment=False)
        np.testing.assert_array_equal([label[0] for _, label in dataset], expected)
        assert dataset.classes is row.classes
        assert dataset.class_names == ("bed", "path", "hedge")


def test_a_row_in_the_list_has_a_function(garden, tmp_path, monkeypatch):
    garden(BY_VALUE)
    monkeypatch.setitem(DATA_SETS, "garden", BY_VALUE)
    train = keras_hrnet.data.garden(tmp_path, "train", batch_size=3, crop_size=(3, 4), flip=0.0)
    assert next(iter(train))[1].shape == (3, 3, 4)
    assert train.fingerprint == data_set(BY_VALUE, tmp_path, "train").fingerprint
    assert keras_hrnet.data.garden.__name__ == "garden"
    assert "garden" in dir(keras_hrnet.data)
    assert keras_hrnet.data.garden.__doc__.endswith("Splits: train, val, trainval. Grow it. Free.")
    monkeypatch.undo()
    with pytest.raises(AttributeError, match="has no attribute 'garden'"):
        keras_hrnet.data.garden  # noqa: B018


def test_training_data_is_what_cityscapes_makes_of_its_training_splits(garden, tmp_path):
    garden(BY_VALUE)
    first, second = (next(iter(data_set(BY_VALUE, tmp_path, "train", batch_size=3))) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[0], next(iter(data_set(BY_VALUE, tmp_path, "train", batch_size=3, seed=1)))[0])
    with pytest.raises(ValueError, match=r"Received crop_size=.* for evaluation data"):
        data_set(BY_VALUE, tmp_path, "val", crop_size=(2, 2))
    with pytest.raises(TypeError, match=r"argument rotatoin.* Did you mean rotation"):
        data_set(BY_VALUE, tmp_path, "train", rotatoin=3)


def test_a_damaged_pair_is_left_out_on_request_and_the_warning_is_at_the_call(garden, tmp_path, monkeypatch):
    garden(BY_VALUE)
    (tmp_path / "masks/train/bed0/2_mask.png").write_bytes(b"")
    monkeypatch.setitem(DATA_SETS, "garden", BY_VALUE)
    for read in (functools.partial(data_set, BY_VALUE), keras_hrnet.data.garden):
        with pytest.warns(UserWarning, match=r"1 of 3 pairs .* are left out") as warned:
            assert len(read(tmp_path, "train", damaged="skip")) == 2
        assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("row", "pixels", "message"),
    [
        (BY_VALUE, np.full(SIZE, 5), "holds the values 5. Expected only 0, 3 and 7 to 9. Restore .*: Grow it."),
        (BY_VALUE, np.zeros((*SIZE, 3)), "is 8-bit RGB. Expected label values as 8-bit gray, or a palette image"),
        (BY_COLOR, np.full((*SIZE, 3), 9), r"holds the colors \(9, 9, 9\). Expected only the 5 colors .*: Grow it"),
        (BY_COLOR, np.zeros(SIZE), "is 8-bit gray. Expected label values as 8-bit RGB"),
    ],
)
def test_foreign_label_images_are_named(row, pixels, message, garden, tmp_path):
    garden(row)
    write(tmp_path / "masks/train/bed0/2_mask.png", pixels)
    with pytest.raises(ValueError, match=f"2_mask.png {message}"):
        data_set(row, tmp_path, "train")


def test_names_that_look_equal_are_matched_whatever_unicode_they_are_written_in(tmp_path):
    write(tmp_path / "photos/train/bed/\u00e9.png", np.zeros((*SIZE, 3)))
    write(tmp_path / "masks/train/bed/e\u0301_mask.png", np.full(SIZE, 255))
    listing = list_split(tmp_path, BY_VALUE, "train")
    assert ([len(found) for found in listing]) == [1, 0, 0]


def test_a_folder_that_is_a_link_to_nothing_is_not_passed_over(garden, tmp_path):
    garden(BY_VALUE)
    (tmp_path / "photos/train/bed.2").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"bed.2 is a link to .*gone, which does not exist"):
        data_set(BY_VALUE, tmp_path, "train")


def test_what_is_missing_is_named_with_where_it_comes_from(garden, tmp_path):
    garden(BY_VALUE)
    with pytest.raises(ValueError, match=r"Garden has no split 'test'\. Expected one of train, val, trainval."):
        data_set(BY_VALUE, tmp_path, "test")
    label = tmp_path / "masks/validation/bed1/1_mask.png"
    label.unlink()
    message = f"1 of 2 images in {tmp_path}/photos/validation have .*expected .* at {label}. Unpack masks.zip at"
    with pytest.raises(FileNotFoundError, match=message):
        data_set(BY_VALUE, tmp_path, "val")
    (tmp_path / "photos").rename(tmp_path / "pictures")
    message = r"Garden root .* the folders photos and masks in it; missing: photos. Unpack Garden \(Grow it.\) there"
    with pytest.raises(FileNotFoundError, match=message):
        data_set(BY_VALUE, tmp_path, "val")


def test_names_between_the_texts_of_a_pattern_are_those_of_the_stars(tmp_path):
    row = dataclasses.replace(BY_VALUE, layout=Layout("{split}/*/rgb/a*b.png", "{split}/*/label.*.png"))
    for name in ("x/rgb/a1b.png", "x/rgb/ab.png", "x/rgb/a1c.png", "x/other/a1b.png", ".y/rgb/a1b.png"):
        write(tmp_path / "train" / name, np.zeros((*SIZE, 3)))
    for name in ("x/label.1.png", "x/label..png", "x/label.2.png"):
        write(tmp_path / "train" / name, np.full(SIZE, 3))
    assert data_set(row, tmp_path, "train", augment=False).image_names == ("a1b", "ab")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_ids": {0: 0, 1: 1}}, r"train ids \[0, 1\] for the 3 classes of Garden.*Expected 0 to 2, and 255"),
        ({"train_ids": {0: 0, 1: 1, 2: 2, 3: 3}}, r"train ids \[0, 1, 2, 3\] for the 3 classes"),
        ({"classes": Classes(("a", "b", "c"), ignore_label=0)}, "the ignored label 0"),
        ({"class_weights": (1.0, 2.0)}, "2 class weights for the 3 classes of Garden"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(BY_VALUE, label_values=None, **changes)


@pytest.mark.parametrize("patterns", [("a/1.png", "b/1.png"), ("a/*.png", "b/*/*.png"), ("a/*_*.png", "b/*_*.png")])
def test_patterns_that_do_not_fit_together_are_refused(patterns):
    with pytest.raises(ValueError, match="Expected the same number of stars in both"):
        Layout(*patterns)


def test_known_data_sets_are_whole():
    for name, row in DATA_SETS.items():
        assert row.name == name
        assert all(text.endswith(".") for text in (row.license, row.source))
        assert isinstance(row.label_values, LabelValues)
        assert set(row.layout.split_folders) <= set(row.num_images)
