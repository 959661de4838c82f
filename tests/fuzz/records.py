"""Readers of what is kept beside data: manifests of records, and the points of classes."""

import types

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.label_coding import coding_of
from keras_hrnet.data.pipeline.class_points import class_points
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data.records.source import Records
from keras_hrnet.data_sets.cityscapes import CITYSCAPES
from keras_hrnet.picture_files.compressed import ZSTD_SIGNATURE, compressed, decompressed
from keras_hrnet.picture_files.reading import UnusableFileError
from tests.fuzz.harness import Reader
from tests.fuzz.mutation import damage_json
from tests.fuzz.runs import hostile_json

SHARDS = {}
LABELS = np.random.default_rng(0).choice(np.uint8([0, 2, 255]), (3, 6, 8))


def manifests(folder):
    for number in range(3):
        for kind, name, shape in (("leftImg8bit", "leftImg8bit", (8, 16, 3)), ("gtFine", "gtFine_labelIds", (8, 16))):
            path = folder / kind / "train" / "bonn" / f"bonn_{number:06d}_000019_{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full(shape, 7 + number, np.uint8)).save(path)
    pack(find_pairs(folder, "train"), folder / "packed", known=CITYSCAPES.label_values, shard_size=1)
    SHARDS.update({path.name: path.read_bytes() for path in (folder / "packed").glob("*.tfrecord")})
    return [(folder / "packed" / "manifest.json").read_bytes()]


def read_records(path):
    for name, content in SHARDS.items():
        if not path.with_name(name).exists():
            path.with_name(name).write_bytes(content)
    records = Records(path.parent, verify=False)
    records.contents(tf.constant(0))


def points(folder):
    find_points(folder)
    return [next(folder.glob("*.npy")).read_bytes()]


def find_points(folder):
    source = types.SimpleNamespace(fingerprint="a", names=list("abc"), sizes=[(6, 8)] * 3)
    return class_points(source, lambda index: tf.constant(LABELS)[index], coding_of(3), tile_size=4, folder=folder)


def read_points(path):
    """Points are found anew where the file is damaged."""
    place = path.with_name("points")
    place.mkdir(exist_ok=True)
    if not KEPT:
        KEPT.extend([find_points(place), next(place.glob("*.npy")).name])
    (place / KEPT[1]).write_bytes(path.read_bytes())
    for kept, found in zip(KEPT[0], find_points(place), strict=True):
        np.testing.assert_array_equal(kept, found)


def packed_pixels(folder):
    generator = np.random.default_rng(0)
    arrays = generator.integers(0, 256, (9, 8, 3)).astype(np.uint8), LABELS[0], LABELS[1].astype(np.uint16)
    return [compressed(array) for array in arrays]


def hostile_pixels():
    """Arrays that are no pictures, and frames that declare more than they hold."""
    huge = compressed(np.zeros((4000, 4000, 3), np.uint8))
    header = bytearray(compressed(np.zeros((1, 1), np.uint8)))
    return [huge, compressed(np.zeros((2,) * 8)), compressed(np.array("a")), bytes(header[:5]), ZSTD_SIGNATURE * 9]


KEPT = []

READERS = (
    Reader("manifest.json", "manifest.json", manifests, read_records, damage=damage_json, hostile=hostile_json,
           raises=(ValueError, FileNotFoundError)),
    Reader("packed pixels", "a.png", packed_pixels, lambda path: decompressed(path.read_bytes(), path),
           hostile=hostile_pixels, raises=(UnusableFileError,)),
    Reader("class points", "points.npy", points, read_points, raises=(), suite_inputs=15),
)  # fmt: skip
