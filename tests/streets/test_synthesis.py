"""The synthetic street set: layout, file formats, labels, reproducibility and refusals."""

import dataclasses
import json
import random
import re

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data_sets.cityscapes import CLASSES, LABELS
from keras_hrnet.streets import draw_street
from keras_hrnet.streets.canvas import Camera, Canvas
from keras_hrnet.streets.shadows import ShadowPlane, rectangle
from keras_hrnet.streets.synthesis import synthesize
from keras_hrnet.streets.weather import choose_light

pytestmark = pytest.mark.once

SIZE = (96, 192)
COUNTS = {"num_train": 10, "num_val": 10, "num_test": 2}
LABEL_OF_ID = {label.id: label for label in LABELS}
WITH_INSTANCES = [label.id for label in LABELS if label.has_instances]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    synthesize(root, size=SIZE, **COUNTS)
    return root


def read(path):
    with Image.open(path) as image:
        return np.array(image)


def label_files(root, kind, split="*"):
    return sorted(root.glob(f"gtFine/{split}/*/*_gtFine_{kind}.png"))


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_image_has_its_four_files_under_the_names_of_cityscapes(root):
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    names.remove("synthetic.json")
    image = re.compile(r"leftImg8bit/(train|val|test)/([a-z]+)/(\2_\d{6}_\d{6})_leftImg8bit\.png")
    images = [match for match in map(image.fullmatch, names) if match]
    assert {split: sum(match[1] == split for match in images) for split in ("train", "val", "test")} == {
        "train": 10,
        "val": 10,
        "test": 2,
    }
    expected = [match[0] for match in images]
    for match in images:
        for kind in ("labelIds", "instanceIds", "color"):
            expected.append(f"gtFine/{match[1]}/{match[2]}/{match[3]}_gtFine_{kind}.png")
    assert names == sorted(expected)


def test_no_city_occurs_in_two_splits(root):
    cities = [path.name for path in (root / "leftImg8bit").glob("*/*")]
    assert len(cities) == len(set(cities)) == 6 + 3 + 2


def test_files_have_the_modes_and_depths_of_cityscapes(root):
    kinds = {"leftImg8bit": ("RGB", np.uint8), "labelIds": ("L", np.uint8), "instanceIds": ("I;16", np.uint16)}
    kinds["color"] = ("RGBA", np.uint8)
    for path in root.rglob("*.png"):
        mode, dtype = kinds[path.stem.split("_")[-1]]
        with Image.open(path) as image:
            assert (image.mode, image.size, image.format) == (mode, SIZE[::-1], "PNG")
            assert np.asarray(image).dtype == dtype


@pytest.mark.parametrize("split", ["train", "val"])
def test_every_five_images_in_a_row_show_all_19_classes(split):
    drawn = [draw_street((128, 256), f"0/{split}/{number}", number).label_ids for number in range(10)]
    for first in (0, 3, 5):
        counts = np.bincount(np.concatenate(drawn[first : first + 5]).ravel(), minlength=34)
        assert [label.name for label in CLASSES if counts[label.id] < 30] == []


def test_ignored_labels_occur_too(root):
    ids = {int(value) for path in label_files(root, "labelIds") for value in np.unique(read(path))}
    names = {LABEL_OF_ID[value].name for value in ids}
    assert names >= {"ego vehicle", "rectification border", "out of roi", "static", "rail track", "trailer", "caravan"}
    assert -1 not in ids and 255 not in ids


def test_road_building_vegetation_sky_and_car_cover_most_of_what_is_learnt(root):
    counts = sum(np.bincount(read(path).ravel(), minlength=34) for path in label_files(root, "labelIds", "train"))
    learnt = {label.name: int(counts[label.id]) for label in CLASSES}
    common = sum(learnt[name] for name in ("road", "building", "vegetation", "sky", "car"))
    assert common > 0.65 * sum(learnt.values())
    assert max(learnt, key=learnt.get) == "road"


def test_the_bonnet_is_at_the_bottom_and_the_rims_are_around(root):
    for path in label_files(root, "labelIds", "val"):
        labels = read(path)
        assert (labels[:, 0] == 2).all()
        assert (labels[0, 1:] == 3).all() and (labels[-1, 1:] == 3).all() and (labels[:, -1] == 3).all()
        assert labels[-2, SIZE[1] // 2] == 1


def test_instance_ids_are_a_thousand_times_the_label_id_where_instances_count(root):
    for path in label_files(root, "instanceIds"):
        instances, labels = read(path), read(str(path).replace("instanceIds", "labelIds"))
        counted = np.isin(labels, WITH_INSTANCES)
        assert np.array_equal(instances >= 1000, counted)
        assert np.array_equal(instances[counted] // 1000, labels[counted])
        assert np.array_equal(instances[~counted], labels[~counted])


def test_several_cars_of_one_image_are_told_apart(root):
    most = max(len(np.unique(values[values // 1000 == 26])) for values in map(read, label_files(root, "instanceIds")))
    assert most >= 4


def test_the_color_file_paints_each_label_in_its_color(root):
    for path in label_files(root, "color"):
        colors, labels = read(path), read(str(path).replace("color", "labelIds"))
        assert (colors[..., 3] == 255).all()
        for value in np.unique(labels):
            assert (colors[labels == value][:, :3] == LABEL_OF_ID[int(value)].color).all()


def test_labels_of_the_test_split_are_dummies(root):
    for kind in ("labelIds", "instanceIds"):
        for path in label_files(root, kind, "test"):
            assert set(np.unique(read(path)).tolist()) == {0, 1, 2, 3}


def test_the_same_arguments_write_the_same_bytes_with_any_number_of_workers(tmp_path):
    arguments = {"num_train": 4, "num_val": 2, "num_test": 1, "size": (64, 128), "seed": 3}
    for num_workers in (1, 3):
        synthesize(tmp_path / str(num_workers), num_workers=num_workers, **arguments)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_an_image_depends_on_its_place_and_the_seed_alone(tmp_path):
    synthesize(tmp_path / "few", num_train=1, num_val=1, num_test=0, size=(64, 128))
    synthesize(tmp_path / "many", num_train=3, num_val=1, num_test=0, size=(64, 128))
    synthesize(tmp_path / "other", num_train=1, num_val=1, num_test=0, size=(64, 128), seed=1)
    few, many, other = (contents(tmp_path / name) for name in ("few", "many", "other"))
    images = [name for name in few if name.startswith("leftImg8bit")]
    assert len(images) == 2
    assert all(many[name] == few[name] for name in few if name != "synthetic.json")
    assert all(other[name] != few[name] for name in images)
    assert few[images[0]] != few[images[1]]


def test_a_larger_size_shows_the_same_street():
    small, large = draw_street((128, 256), "a", 2), draw_street((256, 512), "a", 2)
    agreement = (large.label_ids[::2, ::2] == small.label_ids).mean()
    assert agreement > 0.9


@pytest.mark.parametrize("size", [(64, 128), (100, 333), (200, 200)])
def test_any_size_within_the_limits_can_be_drawn(size):
    picture = draw_street(size, "b", 4)
    assert picture.image.shape == (*size, 3) and picture.image.dtype == np.uint8
    assert picture.label_ids.shape == picture.instance_ids.shape == size
    assert picture.image.std() > 10


def small_canvas():
    source = random.Random(1)
    camera = Camera(height=40, width=80, focal=80.0, column=40.0, horizon=20.0, eye=1.5)
    blank = np.zeros((40, 80, 3), np.uint8)
    return Canvas(camera, choose_light(source), blank, np.zeros((40, 80), np.int32), ["sky"], source)


def test_a_camera_projects_along_straight_lines_to_its_vanishing_point():
    camera = small_canvas().camera
    assert camera.project(2.0, 0.0, 8.0) == (60.0, 35.0)
    assert camera.project(2.0, 0.0, 80.0) == (42.0, 21.5)
    assert camera.project(2.0, 1.5, 8.0)[1] == 20.0


def test_labels_and_colors_have_the_same_edges():
    canvas = small_canvas()
    canvas.begin("car", 10.0)
    canvas.polygon([(10.3, 8.7), (33.1, 5.2), (40.9, 30.4)], (200, 10, 20))
    canvas.begin("pole", 5.0)
    canvas.line([(20, 0), (22, 39)], 1, (1, 250, 3))
    pixels, things = canvas.finish()
    assert np.array_equal((pixels == (200, 10, 20)).all(axis=-1), things == 1)
    assert np.array_equal((pixels == (1, 250, 3)).all(axis=-1), things == 2)
    assert (things == 1).any() and (things == 2).any()


def test_a_stamp_lies_over_what_is_farther_and_under_what_is_nearer():
    canvas = small_canvas()
    canvas.begin("car", 10.0)
    canvas.polygon([(0, 0), (79, 0), (79, 39), (0, 39)], (9, 9, 9))
    canvas.begin("vegetation", 5.0)
    mask = np.zeros((10, 10), bool)
    mask[2:8, 2:8] = True
    canvas.stamp(4, 4, mask, np.full((10, 10, 3), 77, np.uint8))
    canvas.begin("pole", 2.0)
    canvas.polygon([(6, 0), (7, 0), (7, 39), (6, 39)], (5, 6, 7))
    pixels, things = canvas.finish()
    assert things[8, 8] == 2 and pixels[8, 8].tolist() == [77, 77, 77]
    assert things[8, 7] == 3 and pixels[8, 7].tolist() == [5, 6, 7]
    assert things[5, 5] == 1 and pixels[5, 5].tolist() == [9, 9, 9]
    assert (things == 2).sum() == 6 * 6 - 2 * 6


def test_things_with_one_owner_are_one_instance():
    canvas = small_canvas()
    for owner in ("tram", "tram", None, None):
        canvas.begin("train", 5.0, owner=owner)
    assert canvas.values[1:] == [31000, 31000, 31001, 31002]


@pytest.mark.parametrize("side", [-1, 1])
def test_a_shadow_falls_away_from_the_sun(side):
    canvas = small_canvas()
    light = dataclasses.replace(canvas.light, sun=(1.0, 1.0, 1.0), direction=(0.8 * side, 0.6, 0.0))
    plane = ShadowPlane(canvas.camera, light)
    plane.cast(rectangle(0.0, 8.0, 1.0, 1.0), 0.0, 1.5)
    sun, contact = plane.maps()
    assert contact[35, 40] > 0.5
    # The top, 1.5 m up, casts its shadow 2 m aside: at 8 m, 20 columns from the middle.
    columns = np.nonzero((sun > 0.5).any(axis=0))[0]
    assert side * (40 - columns.mean()) == pytest.approx(10, abs=2)


def test_a_second_call_with_the_same_arguments_repairs_the_set(tmp_path):
    arguments = {"num_train": 2, "num_val": 0, "num_test": 0, "size": (64, 128)}
    first = synthesize(tmp_path, **arguments)
    before = contents(tmp_path)
    next(tmp_path.rglob("*_labelIds.png")).unlink()
    assert synthesize(tmp_path, **arguments) == first
    assert contents(tmp_path) == before


def test_an_interrupted_run_leaves_whole_files_only(tmp_path):
    def interrupt(path):
        raise KeyboardInterrupt

    arguments = {"num_train": 3, "num_val": 0, "num_test": 0, "size": (64, 128)}
    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path, on_image=interrupt, **arguments)
    assert list(tmp_path.rglob(".*")) == []
    for path in tmp_path.rglob("*.png"):
        assert read(path).shape[:2] == (64, 128)
    synthesize(tmp_path, **arguments)
    assert len(list(tmp_path.rglob("*.png"))) == 12


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(self, path, **options):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        synthesize(tmp_path, num_train=1, num_val=0, num_test=0, size=(64, 128))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["synthetic.json"]


def test_on_image_hears_of_each_finished_image_in_order(tmp_path):
    heard = []
    written = synthesize(tmp_path, num_train=2, num_val=1, num_test=1, size=(64, 128), on_image=heard.append)
    assert [path.parent.parent.name for path in heard] == ["train", "train", "val", "test"]
    assert all(path.is_file() for path in heard)
    assert (written.num_train, written.num_val, written.num_test, written.size) == (2, 1, 1, (64, 128))
    assert written.root == tmp_path


def test_an_empty_set_is_a_set(tmp_path):
    written = synthesize(tmp_path, num_train=0, num_val=0, num_test=0)
    assert written.num_train == 0 and not (tmp_path / "leftImg8bit").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": (32, 128)}, ValueError, r"size=\(32, 128\).*from \(64, 128\) to \(1024, 2048\).*\(64, 128\)"),
        ({"size": (2048, 4096)}, ValueError, r"nearest supported size, \(1024, 2048\)"),
        ({"size": 256}, ValueError, r"Received size=256\. Expected two integers, \(height, width\)"),
        ({"size": (256,)}, ValueError, "two integers"),
        ({"size": (256.0, 512.0)}, TypeError, r"Received size=256\.0\. Expected an integer"),
        ({"num_train": -1}, ValueError, r"Received num_train=-1\. Expected at least 0"),
        ({"num_val": 1.5}, TypeError, r"Received num_val=1\.5\. Expected an integer"),
        ({"num_workers": 0}, ValueError, r"Received num_workers=0\. Expected at least 1"),
        ({"seed": "a"}, TypeError, "Received seed='a'. Expected an integer"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        synthesize(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_root(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match=r"is a file\..*Choose another path"):
        synthesize(tmp_path / "file")


@pytest.mark.parametrize("folder", ["leftImg8bit", "gtFine"])
def test_a_real_set_is_left_alone(tmp_path, folder):
    (tmp_path / folder / "train" / "aachen").mkdir(parents=True)
    with pytest.raises(FileExistsError, match=r"contains files, and synthetic\.json is missing.*nothing was changed"):
        synthesize(tmp_path, num_train=1, num_val=0, num_test=0, size=(64, 128))
    assert [path.name for path in tmp_path.iterdir()] == [folder]


def test_another_synthetic_set_is_not_mixed_with(tmp_path):
    synthesize(tmp_path, num_train=1, num_val=0, num_test=0, size=(64, 128))
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match=r"'seed': 0.*'seed': 5.*Delete that folder"):
        synthesize(tmp_path, num_train=1, num_val=0, num_test=0, size=(64, 128), seed=5)
    assert contents(tmp_path) == before
    assert json.loads(before["synthetic.json"])["size"] == [64, 128]


def test_an_unreadable_marker_is_an_error(tmp_path):
    (tmp_path / "synthetic.json").write_text("{")
    with pytest.raises(FileExistsError, match="cannot be read"):
        synthesize(tmp_path)
