"""The published data sets: what their rows say, and files in their layouts read back."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_hrnet.data
from keras_hrnet.checkpoints import published_weights
from keras_hrnet.data_sets import DATA_SETS

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent.parent
COUNTS = {
    "cityscapes": 19,
    "camvid": 11,
    "camvid_32": 31,
    "bdd100k": 19,
    "mapillary": 65,
    "ade20k": 150,
    "coco_stuff": 171,
    "coco_stuff_10k": 171,
    "pascal_voc": 21,
    "pascal_context": 59,
    "pascal_context_60": 60,
    "lip": 20,
}
SIZE = (4, 6)


def test_each_has_as_many_classes_as_published():
    assert {name: len(row.classes.names) for name, row in DATA_SETS.items()} == COUNTS


@pytest.mark.parametrize("row", DATA_SETS.values(), ids=DATA_SETS)
def test_names_are_clean_and_say_where_they_are_from(row):
    assert all(name == " ".join(name.split()) for name in row.classes.names)
    assert "https://" in row.source or "http://" in row.source
    assert row.num_images["train"] > row.num_images["val"] or row.name.startswith("pascal_context")
    stored = row.label_values.colors or row.label_values.values
    assert set(row.train_ids) == set(stored)


@pytest.mark.parametrize(
    ("data_set", "train_id", "name", "color"),
    [
        ("camvid", 0, "Sky", (128, 128, 128)),
        ("camvid", 4, "Pavement", (60, 40, 222)),
        ("camvid", 10, "Bicyclist", (0, 128, 192)),
        ("camvid_32", 0, "Animal", (64, 128, 64)),
        ("camvid_32", 22, "SUVPickupTruck", (64, 128, 192)),
        ("camvid_32", 30, "Wall", (64, 192, 0)),
        ("bdd100k", 6, "traffic light", (250, 170, 30)),
        ("mapillary", 0, "Bird", (165, 42, 42)),
        ("mapillary", 13, "Road", (128, 64, 128)),
        ("mapillary", 64, "Ego Vehicle", (120, 10, 10)),
        ("ade20k", 0, "wall", (120, 120, 120)),
        ("ade20k", 89, "television", (0, 255, 194)),
        ("ade20k", 149, "flag", (92, 0, 255)),
        ("coco_stuff", 0, "person", (0, 192, 64)),
        ("coco_stuff", 80, "banner", (0, 192, 0)),
        ("coco_stuff", 170, "wood", (64, 64, 0)),
        ("pascal_voc", 0, "background", (0, 0, 0)),
        ("pascal_voc", 20, "tvmonitor", (0, 64, 128)),
        ("pascal_context", 0, "aeroplane", (180, 120, 120)),
        ("pascal_context", 58, "wood", (31, 0, 255)),
        ("pascal_context_60", 0, "background", (120, 120, 120)),
        ("lip", 5, "UpperClothes", (255, 85, 0)),
        ("lip", 19, "Right-shoe", (255, 170, 0)),
    ],
)
def test_classes_are_where_the_sources_have_them(data_set, train_id, name, color):
    classes = DATA_SETS[data_set].classes
    assert (classes.names[train_id], classes.colors[train_id]) == (name, color)


def test_the_colors_of_pascal_voc_follow_its_rule():
    """VOClabelcolormap.m: the bits of a class are dealt out to red, green and blue, from the highest bit down."""

    def channel(i, first):
        return sum((i >> (3 * bit + first) & 1) << (7 - bit) for bit in range(3))

    rule = tuple(tuple(channel(i, first) for first in range(3)) for i in range(21))
    assert DATA_SETS["pascal_voc"].classes.colors == rule


@pytest.mark.parametrize(
    ("data_set", "train_ids"),
    [
        ("camvid", {0: 0, 10: 10, 11: 255}),
        ("camvid_32", {(0, 0, 0): 255, (64, 192, 0): 30}),
        ("mapillary", {0: 0, 64: 64, 65: 255}),
        ("ade20k", {0: 255, 1: 0, 150: 149}),
        # labels.txt has 1 "person", 13 "stop sign" and 182 "wood"; files store ids less 1.
        ("coco_stuff", {0: 0, 10: 10, 12: 11, 181: 170, 255: 255}),
        ("coco_stuff_10k", {0: 255, 1: 0, 171: 170}),
        ("pascal_voc", {0: 0, 20: 20, 255: 255}),
        ("pascal_context", {0: 255, 1: 0, 59: 58}),
        ("pascal_context_60", {0: 0, 59: 59}),
        ("bdd100k", {18: 18, 255: 255}),
    ],
)
def test_stored_values_become_train_ids(data_set, train_ids):
    known = DATA_SETS[data_set].train_ids
    assert {value: known[value] for value in train_ids} == train_ids


@pytest.mark.parametrize("row", published_weights(), ids=lambda row: row.name)
def test_published_weights_bring_the_classes_of_their_data_set(row):
    if row.dataset in DATA_SETS:
        expected = "pascal_context_60" if row.num_classes == 60 else row.dataset
        assert row.classes is DATA_SETS[expected].classes
        assert len(row.classes.names) == row.num_classes
    else:
        assert row.dataset in ("imagenet", "loveda", "potsdam", "vaihingen", "isaid", "coco_keypoints", "mpii")
        assert row.classes is None


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(pixels)).save(path)


def write_split(root, row, layout, split, names):
    """Writes the files of a split in a layout; returns the train ids of each label image."""
    rng = np.random.default_rng(len(split))
    stored, ids = np.array(list(row.train_ids)), np.array(list(row.train_ids.values()))
    written = []
    for name in names:
        image, label = (root / pattern.replace("*", name) for pattern in layout.patterns_of(split))
        places = rng.integers(0, len(ids), SIZE)
        write(image, rng.integers(0, 256, (*SIZE, 3)))
        write(label, stored[places])
        written.append(ids[places])
    if layout.lists:
        path = root / layout.list_of(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in names))
    return written


LAYOUTS = [
    pytest.param(row, layout, id=f"{row.name}-{i}")
    for row in DATA_SETS.values()
    for i, layout in enumerate(row.layouts)
    if row.name != "cityscapes"
]


@pytest.mark.parametrize(("row", "layout"), LAYOUTS)
def test_files_are_read_in_each_layout(row, layout, tmp_path):
    train = write_split(tmp_path, row, layout, "train", ["a", "b"])
    val = write_split(tmp_path, row, layout, "val", ["c"])
    dataset = getattr(keras_hrnet.data, row.name)(tmp_path, "trainval", augment=False)
    np.testing.assert_array_equal([label[0] for _, label in dataset], train + val)
    assert dataset.classes is row.classes


def test_the_test_photos_of_camvid_are_read_too(tmp_path):
    row = DATA_SETS["camvid"]
    expected = write_split(tmp_path, row, row.other_layouts[0], "test", ["x", "y"])
    labels = [label[0] for _, label in keras_hrnet.data.camvid(tmp_path, "test")]
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_left_and_right_of_lip_change_places_in_training(flip, tmp_path):
    row = DATA_SETS["lip"]
    (label,) = write_split(tmp_path, row, row.layout, "train", ["a"])
    if flip:
        pairs = {14: 15, 15: 14, 16: 17, 17: 16, 18: 19, 19: 18}
        label = np.vectorize(lambda i: pairs.get(i, i))(label[:, ::-1])
    train = keras_hrnet.data.lip(tmp_path, "train", crop_size=SIZE, scales=(1.0, 1.0), flip=flip)
    np.testing.assert_array_equal(next(iter(train))[1], [label])


def test_a_root_of_another_layout_near_by_is_found(tmp_path):
    row = DATA_SETS["camvid"]
    write_split(tmp_path, row, row.other_layouts[0], "val", ["x"])
    with pytest.raises(FileNotFoundError, match=f"missing: val, valannot. Use the root {tmp_path} instead."):
        keras_hrnet.data.camvid(tmp_path / "val", "val")


def test_lists_name_images_with_or_without_folder_and_ending(tmp_path):
    row = DATA_SETS["camvid_32"]
    write_split(tmp_path, row, row.layout, "train", ["a", "b", "c"])
    (tmp_path / "train.txt").write_text("/SegNet/CamVid/train/c.png /SegNet/CamVid/trainannot/c.png\n\na\n")
    assert keras_hrnet.data.camvid_32(tmp_path, "train", augment=False).image_names == ("a", "c")


def test_what_a_list_lacks_is_named(tmp_path):
    row = DATA_SETS["pascal_voc"]
    write_split(tmp_path, row, row.layout, "train", ["a", "b"])
    listing = tmp_path / "ImageSets/Segmentation/train.txt"
    listing.write_text("a\nb\nd\n")
    message = f"1 of 3 images that {listing} lists are not in {tmp_path}/JPEGImages. The first is d. Unpack"
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        keras_hrnet.data.pascal_voc(tmp_path, "train")
    message = f"There is no list {tmp_path}/ImageSets/Segmentation/val.txt of the images of val."
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        keras_hrnet.data.pascal_voc(tmp_path, "val")


def test_the_guide_lists_them_all():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "examples/data.md").read_text(), flags=re.MULTILINE)
    assert {name: int(count) for name, count in rows} == COUNTS
