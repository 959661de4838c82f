"""Finds points of each class in the training images, around which class-uniform sampling crops."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_hrnet.array_files import read_npy
from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.label_coding import LabelCoding
from keras_hrnet.data.pipeline.sources import Source
from keras_hrnet.replacing import replacing

if TYPE_CHECKING:
    import tensorflow as tf

TILE_SIZE = 1024
"""NVIDIA semantic-segmentation, `scripts/train_cityscapes.yml`: `class_uniform_tile`, in pixels."""
CHECKSUM_BYTES = 32
"""A file of points ends with the SHA-256 of its preceding content."""


def class_points(
    source: Source,
    read_train_ids: Callable[[tf.Tensor], tf.Tensor],
    coding: LabelCoding,
    *,
    tile_size: int = TILE_SIZE,
    folder: str | os.PathLike | None = None,
) -> list[np.ndarray]:
    """Finds a point of each class in each tile of all images, or reads the points that an earlier call stored.

    Args:
        read_train_ids: a function that decodes the label of an index inside `tf.data`: train ids, uint8
            `(height, width)`.
        coding: how the labels store the classes.
        tile_size: height and width of a tile, in pixels. Smaller tiles find more of the objects of an image.
        folder: folder for the points; `None` means `keras_hrnet` in the Keras folder (`KERAS_HOME`, or `~/.keras`).

    Returns:
        A list with the points of each class: int32 `(num_points, 3)`, image, row and column.
    """
    num_classes = len(coding.classes.names)
    folder = Path(folder or Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras_hrnet")
    key = hashlib.sha256(f"1 {source.fingerprint} {num_classes} {coding.reading} {tile_size}".encode()).hexdigest()
    path = folder / f"class_points_{key[:16]}.npy"
    found = _kept(path)
    if found is None:
        found = _find(source, read_train_ids, num_classes, tile_size)
        _keep(path, found)
    return [found[found[:, 0] == train_id, 1:] for train_id in range(num_classes)]


def _keep(path, points):
    content = io.BytesIO()
    np.save(content, points)
    with replacing(path) as part:
        part.write_bytes(content.getvalue() + _checksum(content.getvalue()))


def _kept(path):
    """Returns the points in a file; None if there is no file, or it is damaged, so that they are computed again."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    content, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    return read_npy(io.BytesIO(content), len(content)) if checksum == _checksum(content) else None


def _checksum(content):
    return hashlib.sha256(content).digest()


def points_of_label(label: np.ndarray, num_classes: int, tile_size: int = TILE_SIZE) -> np.ndarray:
    """Finds, for each tile of a label and each class in it, the pixel of the class that is nearest to its center.

    Unlike NVIDIA's centroids, which can lie between two objects, such a point always belongs to its class. Tiles that
    extend beyond the image are used up to its edge.

    Args:
        label: uint8 `(height, width)`, train ids; other values than classes are ignored.
        num_classes: number of classes.
        tile_size: height and width of a tile, in pixels.

    Returns:
        int32 `(num_points, 3)`: class, row and column.

    Reference: NVIDIA semantic-segmentation, `datasets/uniform.py`, `class_centroids_image`.
    """
    points = []
    for top in range(0, label.shape[0], tile_size):
        for left in range(0, label.shape[1], tile_size):
            tile = label[top : top + tile_size, left : left + tile_size]
            for train_id, (row, column) in _points_of_tile(tile, num_classes):
                points.append((train_id, top + row, left + column))
    return np.array(points, np.int32).reshape(-1, 3)


def _points_of_tile(tile, num_classes):
    # Sorting makes the pixels of a class adjacent, for the cost of one pass over all classes (a radix sort).
    order = np.argsort(tile, axis=None, kind="stable")
    num_pixels = np.bincount(tile.ravel(), minlength=256)
    stops = np.cumsum(num_pixels)
    for train_id in np.flatnonzero(num_pixels[:num_classes]):
        rows, columns = np.divmod(order[stops[train_id] - num_pixels[train_id] : stops[train_id]], tile.shape[1])
        distance = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
        nearest = distance.argmin()
        yield train_id, (rows[nearest], columns[nearest])


def _find(source, read_train_ids, num_classes, tile_size):
    tf = host_tensorflow()

    def find(index):
        points = tf.numpy_function(
            lambda label: points_of_label(label, num_classes, tile_size),
            [read_train_ids(index)],
            tf.int32,
            stateful=False,
        )
        return tf.ensure_shape(points, (None, 3))

    indices = tf.data.Dataset.range(len(source.names))
    found = indices.map(find, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).as_numpy_iterator()
    rows = [np.insert(points, 1, index, axis=1) for index, points in enumerate(found)]
    return np.concatenate(rows)
