import dataclasses
import pathlib

import numpy as np
import pytest

from keras_hrnet.checkpoints import choose_weights, load_checkpoint, published_weights
from keras_hrnet.checkpoints.download import cache_folder

# Weights are loaded into networks of every backend by tests/checkpoints/test_loading.py and the golden cases.
pytestmark = pytest.mark.once

ROWS = {row.name: row for row in published_weights()}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.chdir(tmp_path)


def put_in_cache(name):
    """Puts a file where a row without a stated SHA-256 takes it from."""
    path = cache_folder() / name / ROWS[name].file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK")
    return path


@pytest.mark.parametrize(
    ("name", "head", "num_classes", "skip_head", "convention"),
    [
        ("official_w48_cityscapes", "fcn", 19, False, ("bilinear", False)),
        ("official_w48_cityscapes", None, 5, False, ("bilinear", False)),
        ("official_w48_ocr_cityscapes", "ocr", 19, False, ("bilinear", True)),
        ("official_w48_ocr_lip", "ocr", 20, False, ("bilinear", None)),
        ("official_w48_imagenet_ssld", "fcn", 19, True, (None, None)),
        ("official_w48_imagenet_ssld", "isa", 19, True, (None, None)),
        ("official_w48_imagenet_ssld", None, 19, False, (None, None)),
        ("official_w48_imagenet_ssld", "classification", 1000, False, ("nearest", False)),
    ],
)
@pytest.mark.parametrize("by", ["name", "path"])
def test_weights_decide_how_they_are_loaded_and_the_resize_convention(
    by, name, head, num_classes, skip_head, convention
):
    path = put_in_cache(name)
    chosen = choose_weights(path if by == "path" else name, "HRNetW48", head, num_classes)
    assert (chosen.path, chosen.published, chosen.skip_head) == (path, ROWS[name], skip_head)
    assert (chosen.interpolation, chosen.align_corners) == convention


def test_weights_of_another_head_do_not_decide_the_resize_convention():
    path = put_in_cache("official_w48_ocr_cityscapes")
    assert choose_weights(path, "HRNetW48", "hierarchical", 19).align_corners is None


@pytest.mark.parametrize(
    "weights", ["folder/mine.pth", "mine.pth", "mine.safetensors", "./mine", pathlib.Path("imagenet")]
)
def test_a_path_that_is_not_there_is_named(weights):
    with pytest.raises(FileNotFoundError, match=r"Expected a file there"):
        choose_weights(weights, "Tiny", "fcn", 5)


@pytest.mark.parametrize(
    ("own_head", "head", "skip_head", "convention"),
    [
        ("fcn", "fcn", False, (None, None)),
        ("classification", "classification", False, ("nearest", False)),
        ("classification", "fcn", True, (None, None)),
        ("classification", "ocr", True, (None, None)),
        ("classification", None, False, (None, None)),
    ],
)
def test_a_file_of_unknown_name_is_known_by_its_keys(
    own_head, head, skip_head, convention, tiny, official_weights, published_file
):
    path = published_file(official_weights(tiny(head=own_head)), "mine.pth")
    chosen = choose_weights(str(path), "Tiny", head, 5)
    assert (chosen.path, chosen.published, chosen.skip_head) == (path, None, skip_head)
    assert (chosen.interpolation, chosen.align_corners) == convention


@pytest.mark.parametrize("file", [ROWS["openseg_w48_ocr_lip"].file, "mine.pth"])
def test_a_file_for_bgr_pixels_is_refused_by_the_constructor(file, published_file):
    # One key of each part is enough to know the format; the rest is never read.
    keys = ("backbone.conv1.weight", "conv3x3.0.weight", "cls_head.weight")
    path = published_file(dict.fromkeys(keys, np.zeros((4, 3, 3, 3), "float32")), file)
    with pytest.raises(ValueError, match=r"for BGR pixels\. Expected weights for RGB pixels\. Build without weights"):
        choose_weights(path, "HRNetW48", "ocr", 19)


def test_a_published_files_name_is_a_path_where_there_is_such_a_file():
    file = ROWS["official_w48_cityscapes"].file
    in_cache = put_in_cache("official_w48_cityscapes")
    assert choose_weights(file, "HRNetW48", "fcn", 19).path == in_cache
    pathlib.Path(file).write_bytes(b"PK")
    assert choose_weights(file, "HRNetW48", "fcn", 19).path == pathlib.Path(file)


def test_a_file_that_is_called_like_a_data_set_is_not_taken_for_it():
    pathlib.Path("cityscapes").write_bytes(b"PK")
    with pytest.raises(ValueError, match="Expected num_classes=19"):
        choose_weights("cityscapes", "HRNetW48", "fcn", 5)


def test_neither_a_name_nor_a_path_is_refused():
    with pytest.raises(
        TypeError, match=r"Received weights=True\. Expected a data set, the name of a published file, or"
    ):
        choose_weights(True, "HRNetW48", "fcn", 19)


def test_imagenet_weights_fill_the_backbone_of_a_segmentation_network(
    tiny, published_file, official_weights, assert_holds, monkeypatch
):
    facts = {"name": "tiny", "variant": "Tiny", "file": "published.pth", "url": None, "sha256_start": None}
    row = dataclasses.replace(ROWS["timm_w48"], **facts)
    monkeypatch.setattr("keras_hrnet.checkpoints.published.lookup.published_weights", lambda: (row,))
    weights = official_weights(tiny(head="classification"))
    target = cache_folder() / "tiny" / "published.pth"
    target.parent.mkdir(parents=True)
    published_file(weights).rename(target)

    chosen = choose_weights("imagenet", "Tiny", "fcn", 5)
    model = tiny()
    report = load_checkpoint(model, chosen.path, skip_head=chosen.skip_head)
    assert report.untouched
    assert_holds(model, weights, backbone_only=True)
