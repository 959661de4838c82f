"""Records of pixels instead of files."""

import sys

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data import folders
from keras_hrnet.data.files.folders import find_folder_pairs
from keras_hrnet.data.label_coding import coding_of
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data.records.source import Records
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.picture_files.compressed import compressed, decompressed
from keras_hrnet.picture_files.reading import UnusableFileError

pytestmark = pytest.mark.once

IDS = CITYSCAPES.label_values
COLORS = [(0, 0, 0), (255, 0, 0), (0, 9, 16)]


def mask(kind):
    """A mask of three classes, as a picture of one of the kinds in which people save them."""
    values = np.arange(24 * 40, dtype=np.uint8).reshape(24, 40) % 3
    if kind == "palette":
        picture = Image.fromarray(values, "P")
        picture.putpalette(sum(COLORS, ()))
        return picture
    return Image.fromarray(
        {"8 bits": values, "16 bits": values.astype(np.uint16), "colors": np.uint8(COLORS)[values]}[kind]
    )


@pytest.fixture
def photos(tmp_path):
    """Makes two photos with masks of a kind."""

    def make(kind):
        for folder in ("photos", "masks"):
            (tmp_path / folder).mkdir()
        for i in range(2):
            pixels = np.random.default_rng(i).integers(0, 256, (24, 40, 3), "uint8")
            Image.fromarray(pixels).save(tmp_path / f"photos/{i}.png")
            mask(kind).save(tmp_path / f"masks/{i}.png")
        return find_folder_pairs(tmp_path / "photos", tmp_path / "masks")

    return make


@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "palette", "colors"])
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_batches_are_those_of_the_files(kind, photos, tmp_path):
    palette = COLORS if kind == "colors" else None
    pack(photos(kind), tmp_path / "packed", known=coding_of(3, palette).label_values, as_pixels=True)
    shared = {"palette": palette, "batch_size": 2, "crop_size": (16, 16), "seed": 3}
    files = folders(tmp_path / "photos", tmp_path / "masks", 3, **shared)
    packed = folders(tmp_path / "packed", None, 3, **shared)
    for expected, found in zip(files, packed, strict=True):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_files_and_pixels_are_not_mixed(pairs, tmp_path):
    options = {"known": IDS, "shard_size": 12_000}
    pack(pairs, tmp_path / "packed", as_pixels=True, **options)
    again = pack(pairs, tmp_path / "packed", as_pixels=True, **options)
    assert again.num_kept == again.num_shards
    with pytest.raises(ValueError, match=r"\d, as pixels\) instead of '.*\d\)\. Expected .* in the same way"):
        pack(pairs, tmp_path / "packed", **options)


def test_without_zstandard_it_is_said_what_to_install(pairs, tmp_path, monkeypatch):
    pack(pairs, tmp_path / "packed", known=IDS, as_pixels=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call in (
        lambda: Records(tmp_path / "packed"),
        lambda: pack(pairs, tmp_path / "new", known=IDS, as_pixels=True),
    ):
        with pytest.raises(ImportError, match=r'pip install "keras-hrnet\[pack\]"'):
            call()
    assert not (tmp_path / "new").exists()
    assert "zstandard" in sys.modules


def test_arrays_of_numpy_keep_their_channels_and_type(tmp_path):
    values = np.random.default_rng(0).normal(size=(8, 9, 5)).astype("float32")
    np.testing.assert_array_equal(decompressed(compressed(values), "a"), values)
    assert decompressed(compressed(values), "a").dtype == np.float32


@pytest.mark.parametrize(
    "values", [np.zeros((2, 3, 4, 5), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 2)), np.zeros((3, 3), "U2")]
)
def test_what_is_no_picture_is_refused(values):
    with pytest.raises(UnusableFileError, match=r"a\.png cannot be decompressed"):
        decompressed(compressed(values), "a.png")


def test_damaged_and_hostile_pixels_are_refused(monkeypatch):
    good = compressed(np.zeros((20, 30, 3), np.uint8))
    for content in (good[:-5], good[:4], b"\x28\xb5\x2f\xfd" + b"\xff" * 40, b"none"):
        with pytest.raises(UnusableFileError, match=r"a\.png cannot be decompressed"):
            decompressed(content, "a.png")
    monkeypatch.setenv("KERAS_HRNET_MAX_PIXELS", "599")
    with pytest.raises(UnusableFileError, match="at most 599 pixels"):
        decompressed(good, "a.png")
