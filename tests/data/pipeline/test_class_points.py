import types

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.data.label_coding import coding_of
from keras_hrnet.data.pipeline.class_points import class_points, points_of_label

pytestmark = pytest.mark.once

THREE = coding_of(3)


def test_the_point_of_a_class_is_its_pixel_nearest_to_the_center():
    label = np.full((5, 5), 255, np.uint8)
    label[1:4, 1:4] = 0
    label[2, 2] = 1
    assert points_of_label(label, 2).tolist() == [[0, 1, 2], [1, 2, 2]]


def test_every_tile_has_points_of_its_own_also_where_it_sticks_out():
    label = np.zeros((3, 5), np.uint8)
    label[2, 4] = 1
    points = points_of_label(label, 2, tile_size=2)
    assert points.tolist() == [[0, 0, 0], [0, 0, 2], [0, 0, 4], [0, 2, 0], [0, 2, 2], [1, 2, 4]]


def test_ignored_pixels_have_none():
    points = points_of_label(np.full((4, 4), 255, np.uint8), 19)
    assert points.shape == (0, 3)
    assert points.dtype == np.int32


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.integers(0, 99))
def test_there_is_one_point_for_each_class_of_each_tile_and_it_is_of_its_class(height, width, tile_size, seed):
    label = np.random.default_rng(seed).choice(np.uint8([0, 1, 2, 7, 255]), (height, width))
    points = points_of_label(label, 3, tile_size)
    assert all(label[row, column] == train_id for train_id, row, column in points)
    tiles = [(train_id, row // tile_size, column // tile_size) for train_id, row, column in points.tolist()]
    expected = {
        (train_id, row // tile_size, column // tile_size)
        for (row, column), train_id in np.ndenumerate(label)
        if train_id < 3
    }
    assert len(tiles) == len(set(tiles))
    assert set(tiles) == expected


class TestClassPoints:
    LABELS = np.random.default_rng(0).choice(np.uint8([0, 2, 255]), (3, 6, 8))

    def find(self, folder, fingerprint="a", coding=THREE, tile_size=4):
        calls = []

        def read(index):
            calls.append(index)
            return tf.constant(self.LABELS)[index]

        source = types.SimpleNamespace(names=["", "", ""], fingerprint=fingerprint)
        return class_points(source, read, coding, tile_size=tile_size, folder=folder), bool(calls)

    def test_points_are_listed_by_class_with_their_image(self, tmp_path):
        points, _ = self.find(tmp_path)
        assert len(points) == 3
        assert len(points[1]) == 0
        for train_id in (0, 2):
            assert {image for image, *_ in points[train_id].tolist()} == {0, 1, 2}
            for image, row, column in points[train_id]:
                assert self.LABELS[image, row, column] == train_id

    def test_points_are_found_once(self, tmp_path):
        first, found = self.find(tmp_path)
        second, found_again = self.find(tmp_path)
        assert (found, found_again) == (True, False)
        assert all(np.array_equal(mine, its) for mine, its in zip(first, second, strict=True))
        assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]

    @pytest.mark.parametrize(
        "change",
        [
            {"fingerprint": "b"},
            {"coding": coding_of(2)},
            {"coding": coding_of(3, id_map={0: 1, 1: 0, 2: 2})},
            {"tile_size": 3},
        ],
    )
    def test_other_files_classes_and_tiles_have_points_of_their_own(self, tmp_path, change):
        self.find(tmp_path)
        assert self.find(tmp_path, **change)[1]

    def test_a_failed_save_leaves_nothing_behind(self, tmp_path, monkeypatch):
        def save(file, array):
            raise OSError("disk full")

        monkeypatch.setattr(np, "save", save)
        with pytest.raises(OSError, match="disk full"):
            self.find(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_points_are_kept_in_the_keras_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        self.find(None)
        assert len(list((tmp_path / "keras_hrnet").glob("class_points_*.npy"))) == 1
