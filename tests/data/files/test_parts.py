import unicodedata

import pytest

from keras_hrnet.data.files.parts import Part, part_of

pytestmark = pytest.mark.once

NAMES = [f"a/{i}" for i in range(20)]


def test_the_two_parts_are_all_items_and_the_share_is_kept():
    train, val = (Part(split, 0.2).of(NAMES, NAMES) for split in ("train", "val"))
    assert val == ["a/2", "a/3", "a/16", "a/18"]  # those whose SHA-256 is lowest
    assert sorted(train + val) == sorted(NAMES)


def test_a_part_depends_on_names_alone_however_they_are_written_and_ordered():
    names = [f"é{i}" for i in range(9)]
    decomposed = [unicodedata.normalize("NFD", name) for name in reversed(names)]
    val = Part("val", 0.4)
    assert val.of(names, names) == list(reversed(val.of(names[::-1], decomposed)))
    assert val.of(names, names) != names[:4]


def test_each_part_has_an_item_however_small_the_share():
    assert len(Part("val", 0.01).of(NAMES, NAMES)) == 1
    assert len(Part("train", 0.99).of(NAMES[:3], NAMES[:3])) == 1
    with pytest.raises(ValueError, match=r"val_share=0.5 for 1 images. Expected at least 2"):
        Part("val", 0.5).of(["a"], ["a"])


@pytest.mark.parametrize(
    ("split", "share", "error", "message"),
    [
        ("train", None, ValueError, "split='train' and val_share=None"),
        (None, 0.2, ValueError, "split=None and val_share=0.2"),
        ("test", 0.2, ValueError, "split='test'"),
        ("val", 1.0, ValueError, "share between 0 and 1"),
        ("val", 0, ValueError, "share between 0 and 1"),
        ("val", "0.2", TypeError, "Expected a number"),
    ],
)
def test_what_names_no_part_is_refused(split, share, error, message):
    with pytest.raises(error, match=message):
        part_of(split, share)
