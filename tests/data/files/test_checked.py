"""The memory of checked files: unchanged ones are not decoded again, and all others are."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data.files import pairs as pairs_module
from keras_hrnet.data.files.pairs import Pair, check_pairs, usable_pairs
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.picture_files.reading import UnusableFileError

pytestmark = pytest.mark.once
KNOWN = LabelValues(values=range(3))


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    """Three pairs, written a minute ago."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    draw = np.random.default_rng(0)
    found = [Pair(tmp_path / f"image {i}.png", tmp_path / f"label {i}.png") for i in range(3)]
    for image, label in found:
        Image.fromarray(draw.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(image)
        Image.fromarray(draw.integers(0, 3, (8, 12), dtype=np.uint8)).save(label)
        for path in (image, label):
            os.utime(path, (time.time() - 60, time.time() - 60))
    return found


@pytest.fixture
def examined(monkeypatch):
    """A list that gets the name of each image that is examined."""
    names, examine = [], pairs_module.examine

    def noted(image, labels, **options):
        names.append(image.name)
        return examine(image, labels, **options)

    monkeypatch.setattr(pairs_module, "examine", noted)
    return names


def test_unchanged_files_are_examined_once_and_have_the_same_headers(pairs, examined):
    first = check_pairs(pairs, known=KNOWN)
    assert len(examined) == 3
    assert check_pairs(pairs, known=KNOWN) == usable_pairs(pairs, known=KNOWN).headers == first
    assert len(examined) == 3
    assert {type(header.label.occurring) for header in first} == {frozenset}


def test_a_changed_file_is_examined_again(pairs, examined):
    check_pairs(pairs, known=KNOWN)
    content = pairs[1].image.read_bytes()
    pairs[1].image.write_bytes(content[:-40] + bytes(40))  # Of the same length.
    with pytest.raises(UnusableFileError, match=r"image 1\.png"):
        check_pairs(pairs, known=KNOWN)
    assert examined[3:] == ["image 1.png"]
    # What a check had passed before it met the fault is remembered.
    assert len(usable_pairs(pairs, known=KNOWN).left_out) == 1
    assert examined[4:] == ["image 1.png"]


def test_two_parts_of_a_folder_are_both_remembered(pairs, examined):
    for part in (pairs[:1], pairs[1:], pairs[:1], pairs):
        check_pairs(part, known=KNOWN)
    assert len(examined) == 3


def test_a_file_that_has_just_changed_is_examined_each_time(pairs, examined):
    os.utime(pairs[0].label)
    for _ in range(2):
        check_pairs(pairs, known=KNOWN)
    assert examined.count("image 0.png") == 2
    assert len(examined) == 4


def test_other_expected_values_count_anew(pairs, examined):
    check_pairs(pairs, known=KNOWN)
    with pytest.raises(UnusableFileError, match="holds the value"):
        check_pairs(pairs, known=LabelValues(values=range(2)))
    assert len(examined) > 3


def test_colors_are_remembered(pairs, examined):
    red = np.full((8, 12, 3), (255, 0, 0), np.uint8)
    Image.fromarray(red).save(pairs[0].label)
    os.utime(pairs[0].label, (time.time() - 60, time.time() - 60))
    known = LabelValues(values=range(3), colors=[(255, 0, 0)])
    first = check_pairs(pairs, known=known)
    assert check_pairs(pairs, known=known) == first
    assert first[0].label.occurring == {(255, 0, 0)}
    assert len(examined) == 3


@pytest.mark.parametrize("damage", ["", "[]", "{}", "[" * 100_000, '{"sha256": "0", "content": "{}"}'], ids=range(5))
def test_a_damaged_memory_is_forgotten(damage, pairs, examined, tmp_path):
    first = check_pairs(pairs, known=KNOWN)
    (path,) = (tmp_path / "home" / "keras_hrnet").iterdir()
    whole = path.read_text()
    path.write_text(damage)
    assert check_pairs(pairs, known=KNOWN) == first
    assert len(examined) == 6
    assert path.read_text() == whole


def test_a_memory_that_cannot_be_written_is_done_without(pairs, examined, tmp_path):
    (tmp_path / "home").write_text("a file")
    assert len(check_pairs(pairs, known=KNOWN)) == 3
