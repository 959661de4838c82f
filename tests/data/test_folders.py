import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_hrnet.data
from keras_hrnet.data import class_shares, folders
from keras_hrnet.data.files.folders import find_folder_pairs
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data_sets import Classes, LabelValues

pytestmark = pytest.mark.once

SIZE = (12, 20)
NAMES = ("background", "leaf", "flower")
COLORS = ((0, 0, 0), (0, 200, 0), (250, 0, 120))


@pytest.fixture
def garden(tmp_path):
    """Four photos, one of them a JPEG, in two folders, and their masks."""
    rng = np.random.default_rng(0)
    masks = {}
    for i, name in enumerate(("a/1.png", "a/2.png", "b/1.png", "b/3.jpg")):
        image = Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
        mask = rng.integers(0, 3, SIZE, dtype=np.uint8)
        mask[0, i] = 255
        masks[name] = mask
        for folder, file in (("photos", name), ("masks", name.replace("jpg", "png"))):
            path = tmp_path / folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            (image if folder == "photos" else Image.fromarray(mask)).save(path)
    return tmp_path, masks


def rewrite(root, change):
    for path in (root / "masks").rglob("*.png"):
        change(np.asarray(Image.open(path))).save(path)


def labels_of(root, classes=NAMES, **options):
    return [label[0].numpy() for _, label in folders(root / "photos", root / "masks", classes, **options)]


def assert_labels(found, masks):
    for label, mask in zip(found, masks.values(), strict=True):
        np.testing.assert_array_equal(label, mask)


def test_whole_images_come_in_order_with_their_masks(garden):
    root, masks = garden
    dataset = folders(root / "photos", root / "masks", NAMES)
    assert isinstance(dataset, tf.data.Dataset)
    assert dataset.element_spec == (tf.TensorSpec((1, *SIZE, 3), tf.uint8), tf.TensorSpec((1, *SIZE), tf.uint8))
    first = next(iter(dataset))[0][0]
    np.testing.assert_array_equal(first, np.asarray(Image.open(root / "photos/a/1.png")))
    assert_labels(labels_of(root), masks)
    assert keras_hrnet.data.folders is folders


def test_lists_of_files_work_as_well(garden):
    root, masks = garden
    images = [root / "photos/b/3.jpg", root / "photos/a/1.png"]
    dataset = folders(images, [root / "masks/b/3.png", root / "masks/a/1.png"], 3)
    labels = [label[0].numpy() for _, label in dataset]
    np.testing.assert_array_equal(labels, [masks["b/3.jpg"], masks["a/1.png"]])


def test_a_crop_size_makes_it_training_data(garden):
    root, _ = garden
    train = folders(root / "photos", root / "masks", NAMES, batch_size=3, crop_size=(8, 8), rotation=10.0)
    assert train.element_spec[0].shape == (3, 8, 8, 3)
    assert len(train) == 1
    assert not np.array_equal(*(next(iter(train))[0] for _ in range(2)))
    whole = folders(root / "photos", root / "masks", NAMES, augment=True, scales=(1.0, 1.0))
    assert whole.element_spec[0].shape == (1, *SIZE, 3)


def test_images_of_one_size_need_no_crop_size_and_are_divided_by_name(garden):
    root, _ = garden
    shared = {"images": root / "photos", "labels": root / "masks", "classes": 3, "val_share": 0.3}
    train, val = folders(**shared, split="train", batch_size=3), folders(**shared, split="val")
    assert train.element_spec[0].shape == (3, *SIZE, 3)
    assert (len(train), len(val)) == (1, 1)
    assert train.files_of_step(0) != train.files_of_step(1)


def test_classes_may_bring_their_colors(garden):
    root, masks = garden
    classes = Classes(NAMES, COLORS)
    dataset = folders(root / "photos", root / "masks", classes)
    assert dataset.classes == classes
    assert dataset.fingerprint == folders(root / "photos", root / "masks", NAMES).fingerprint
    assert_labels([label[0].numpy() for _, label in dataset], masks)


def test_an_ignored_value_becomes_255(garden):
    root, masks = garden
    expected = {name: np.where(mask == 0, 255, mask) for name, mask in masks.items()}
    assert_labels(labels_of(root, ignore_label=(0, 255)), expected)


def test_stored_values_are_mapped_by_number_or_name(garden):
    root, masks = garden
    expected = {name: np.choose(np.minimum(mask, 3), [1, 255, 1, 0]) for name, mask in masks.items()}
    id_map = {0: "plant", 1: 255, 2: "plant", 255: 0}
    assert_labels(labels_of(root, ("rest", "plant"), id_map=id_map, ignore_label=None), expected)


def test_a_stored_255_that_is_a_class_does_not_reach_the_padding(garden):
    root, _ = garden
    rewrite(root, lambda mask: Image.fromarray(np.full_like(mask, 255)))
    options = {"id_map": {255: 0}, "crop_size": (30, 30), "scales": (1.0, 1.0), "flip": 0.0}
    dataset = folders(root / "photos", root / "masks", 1, **options)
    for _, label in dataset:
        np.testing.assert_array_equal(label[0, :12, :20], 0)
        assert (label[0].numpy() == 255).sum() == 30 * 30 - 12 * 20


def test_packed_folders_give_the_same_batches(garden):
    root, masks = garden
    expected = {name: np.where(mask == 0, 255, mask) for name, mask in masks.items()}
    values = LabelValues(values={0, 1, 2, 255})
    pack(find_folder_pairs(root / "photos", root / "masks"), root / "packed", known=values)
    dataset = folders(root / "packed", None, NAMES, ignore_label=(0, 255))
    assert_labels([label[0].numpy() for _, label in dataset], expected)


def test_masks_can_be_palette_images(garden):
    root, masks = garden

    def with_palette(mask):
        image = Image.frombytes("P", mask.shape[::-1], mask.tobytes())
        image.putpalette([level for color in COLORS for level in color] + [0] * 759)
        return image

    rewrite(root, with_palette)
    assert_labels(labels_of(root), masks)


def test_masks_can_be_color_pictures(garden):
    root, masks = garden
    rewrite(root, lambda mask: Image.fromarray(np.uint8(COLORS)[np.minimum(mask, 2)]))
    assert_labels(labels_of(root, palette=COLORS), {name: np.minimum(mask, 2) for name, mask in masks.items()})


def test_class_shares_are_computed_from_the_data(garden):
    root, masks = garden
    counts = np.bincount(np.concatenate([mask.ravel() for mask in masks.values()]), minlength=3)[:3]
    shares = class_shares(folders(root / "photos", root / "masks", NAMES), 3)
    np.testing.assert_allclose(shares, counts / counts.sum(), rtol=1e-12)


def damage(kind):
    image = np.random.default_rng(1).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    pictures = {
        "photos/a/1.png cut short": Image.fromarray(image),
        "masks/a/1.png of another size": Image.fromarray(image[:5, :5, 0] % 3),
        "masks/a/1.png with a foreign value": Image.fromarray(image[..., 0] % 5),
        "masks/a/1.png in colors": Image.fromarray(image),
    }
    file = io.BytesIO()
    pictures[kind].save(file, "PNG")
    data = file.getvalue()
    return data[: len(data) // 2] if "short" in kind else data


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("photos/a/1.png cut short", "(?s)ends after.*Restore"),
        ("masks/a/1.png of another size", "is 5x5 .*12x20.*Expected the same size"),
        ("masks/a/1.png with a foreign value", "holds the values 3, 4. Expected only 0 to 2 and 255.*id_map"),
        ("masks/a/1.png in colors", "is 8-bit RGB.*palette"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_cure(garden, kind, message):
    root, _ = garden
    path = root / kind.split()[0]
    path.write_bytes(damage(kind))
    with pytest.raises(ValueError, match=message) as error:
        folders(root / "photos", root / "masks", NAMES)
    assert str(path) in str(error.value)
    with pytest.warns(UserWarning, match="1 of 4 pairs"):
        assert len(folders(root / "photos", root / "masks", NAMES, damaged="skip")) == 3


def test_missing_and_empty_folders_are_named(garden):
    root, _ = garden
    with pytest.raises(FileNotFoundError, match="pictures"):
        folders(root / "pictures", root / "masks", NAMES)
    (root / "nothing").mkdir()
    with pytest.raises(FileNotFoundError, match=r"nothing.*is empty"):
        folders(root / "nothing", root / "masks", NAMES)
    (root / "masks/b/3.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"3\.jpg"):
        folders(root / "photos", root / "masks", NAMES)
