import errno
import os
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.data.pipeline.cache import ALIGNMENT, DecodedCache

pytestmark = pytest.mark.once

SIZES = [(3, 5), (4, 2), (3, 5)]
RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
LABELS = [RNG.integers(0, 34, size, dtype=np.uint8) for size in SIZES]


class Files:
    """A source that counts how often it is decoded."""

    sizes = SIZES

    def __init__(self, fingerprint="a"):
        self.fingerprint = fingerprint
        self.num_decoded = 0

    def decode(self, index):
        def pixels(index):
            self.num_decoded += 1
            return IMAGES[index], LABELS[index]

        image, label = tf.numpy_function(pixels, [index], (tf.uint8, tf.uint8))
        return tf.ensure_shape(image, (None, None, 3)), tf.ensure_shape(label, (None, None))

    def cached(self, place, palette=None):
        return DecodedCache(self, self.decode, palette, place)


def read_all(cache):
    indices = tf.data.Dataset.from_tensor_slices(tf.constant([2, 0, 1, 0], tf.int64))
    return list(indices.map(cache.read, num_parallel_calls=2).as_numpy_iterator())


@pytest.fixture(params=["memory", "folder"])
def place(request, tmp_path):
    return "memory" if request.param == "memory" else tmp_path / "cache"


def test_what_is_read_is_what_was_decoded_in_any_order(place):
    for index, (image, label) in zip([2, 0, 1, 0], read_all(Files().cached(place)), strict=True):
        np.testing.assert_array_equal(image, IMAGES[index])
        np.testing.assert_array_equal(label, LABELS[index])


def test_each_image_is_decoded_once(place):
    files = Files()
    cache = files.cached(place)
    read_all(cache)
    read_all(cache)
    assert files.num_decoded == 3


def test_pixels_begin_where_tensorflow_takes_them_without_a_copy(place):
    cache = Files().cached(place)
    assert all(view.ctypes.data % ALIGNMENT == 0 for index in range(3) for view in cache._views(index))


def test_shapes_are_known_to_the_graph(place):
    cache = Files().cached(place)
    image, label = tf.data.Dataset.range(3).map(cache.read).element_spec
    assert image.shape.as_list() == [None, None, 3]
    assert label.shape.as_list() == [None, None]


def test_a_folder_serves_later_runs_of_the_same_files(tmp_path):
    Files().cached(tmp_path)
    later, other, recolored = Files(), Files("b"), Files()
    np.testing.assert_array_equal(read_all(later.cached(tmp_path))[0][0], IMAGES[2])
    other.cached(tmp_path)
    recolored.cached(tmp_path, ((0, 0, 0), (1, 1, 1)))
    assert (later.num_decoded, other.num_decoded, recolored.num_decoded) == (0, 3, 3)


def test_a_run_that_breaks_off_leaves_nothing_that_looks_whole(tmp_path):
    def broken(index):
        image, label = Files().decode(index)
        with tf.control_dependencies([tf.debugging.Assert(index < 2, ["broken off"])]):
            return tf.identity(image), label

    with pytest.raises(tf.errors.InvalidArgumentError, match="broken off"):
        DecodedCache(Files(), broken, None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_short_is_decoded_anew(tmp_path):
    Files().cached(tmp_path)
    (path,) = tmp_path.iterdir()
    os.truncate(path, 100)
    files = Files()
    np.testing.assert_array_equal(read_all(files.cached(tmp_path))[1][1], LABELS[0])
    assert files.num_decoded == 3


def test_pixels_that_do_not_fit_are_refused_before_decoding(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=100))
    with pytest.raises(ValueError, match=r"decoded images take 0\.00 GB, and 0\.00 GB are free at .*another folder"):
        Files().cached(tmp_path)
    monkeypatch.setattr(os, "sysconf", lambda name: 10)
    with pytest.raises(ValueError, match=r"this machine has 0\.00 GB of memory.*Pass a folder as cache"):
        Files().cached("memory")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_after_the_check_leaves_nothing(tmp_path, monkeypatch):
    """Without the room being taken first, writing through the map would end the process with SIGBUS."""

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    files = Files()
    with pytest.raises(ValueError, match=r"decoded images take 0\.00 GB, and [0-9.]+ GB are free at .*Free some space"):
        files.cached(tmp_path)
    assert (files.num_decoded, list(tmp_path.iterdir())) == (0, [])


def test_the_room_is_taken_before_the_first_image_is_decoded(tmp_path, monkeypatch):
    taken, allocate = [], os.posix_fallocate
    monkeypatch.setattr(
        os, "posix_fallocate", lambda *arguments: taken.append(files.num_decoded) or allocate(*arguments)
    )
    files = Files()
    files.cached(tmp_path)
    assert taken == [0]
    (path,) = tmp_path.iterdir()
    assert path.stat().st_blocks * 512 >= path.stat().st_size
