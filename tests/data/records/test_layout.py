import pytest

from keras_hrnet.data.records.layout import is_packed, split_folders
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data_sets.cityscapes import CITYSCAPES

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("split", "annotation", "names"),
    [
        ("train", None, {"train": "train"}),
        ("trainval", "fine", {"train": "train", "val": "val"}),
        ("test", None, {"test": "test"}),
        ("val", "coarse", {"val": "val_coarse"}),
        ("train_extra", None, {"train_extra": "train_extra"}),
    ],
)
def test_each_split_has_a_folder_for_each_annotation(tmp_path, split, annotation, names):
    expected = {name: tmp_path / folder for name, folder in names.items()}
    assert split_folders(tmp_path, split, annotation) == expected


@pytest.mark.parametrize(("split", "annotation"), [("all", None), ("train_extra", "fine"), ("train", "finest")])
def test_a_split_that_is_not_published_is_refused(tmp_path, split, annotation):
    with pytest.raises(ValueError, match=rf"no split '{split}' with .*fine: train, val, test, trainval; coarse: train"):
        split_folders(tmp_path, split, annotation)


def test_records_are_told_from_files_even_before_they_are_finished(root, pairs, tmp_path):
    assert not is_packed(root)
    assert not is_packed(tmp_path / "nowhere")
    out = tmp_path / "records"
    pack(pairs, out / "train", known=CITYSCAPES.label_values)
    assert is_packed(out) and is_packed(out / "train")
    (out / "train" / "manifest.json").unlink()
    assert is_packed(out)
