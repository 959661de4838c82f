"""Keeps decoded pixels in memory or on disk, so that each image is decoded only once and not in every epoch."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.pipeline.sources import Source
from keras_hrnet.data_sets.classes import Color
from keras_hrnet.replacing import is_out_of_room, replacing

if TYPE_CHECKING:
    import tensorflow as tf

MEMORY = "memory"
ALIGNMENT = 64
"""TensorFlow uses an array without a copy if its address is a multiple of this number of bytes."""
BLOCK_BYTES = 2**24


class DecodedCache:
    """All images and stored label values of a source, decoded once.

    Args:
        decode: a function that decodes an index inside `tf.data`: the image, uint8 `(height, width, channels)`, and the
            stored label values, uint8 `(height, width)`.
        palette: the color of stored value 0, 1, …, with which color pictures are decoded; or None.
        place: "memory", or a folder. Later datasets of the same files reuse the file in the folder.
        channels: number of channels of the images.

    Raises:
        ValueError: if there is not enough space for the pixels.
    """

    def __init__(
        self,
        source: Source,
        decode: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        palette: Sequence[Color] | None,
        place: str | os.PathLike,
        channels: int = 3,
    ):
        self._sizes, self._channels = source.sizes, channels
        self._starts = _starts(source.sizes, channels)
        num_bytes = self._starts[-1]
        if place == MEMORY:
            _require_memory(num_bytes)
            self._pixels = _aligned(num_bytes)
            self._fill(decode, self._pixels)
        else:
            self._pixels = self._on_disk(source, decode, palette, Path(place), num_bytes)

    def read(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the pixels of an index, inside `tf.data`.

        Args:
            index: an int64 scalar.

        Returns:
            The image, uint8 `(height, width, channels)`, and the stored label values, uint8 `(height, width)`.
        """
        tf = host_tensorflow()
        image, label = tf.numpy_function(self._views, [index], (tf.uint8, tf.uint8), stateful=False)
        return tf.ensure_shape(image, (None, None, self._channels)), tf.ensure_shape(label, (None, None))

    def _views(self, index, pixels=None):
        pixels = self._pixels if pixels is None else pixels
        height, width = self._sizes[index]
        start = self._starts[index]
        num_bytes = self._channels * height * width
        middle = start + _padded(num_bytes)
        image = pixels[start : start + num_bytes].reshape(height, width, self._channels)
        return image, pixels[middle : middle + height * width].reshape(height, width)

    def _fill(self, decode, pixels):
        tf = host_tensorflow()
        indices = tf.data.Dataset.range(len(self._sizes))
        decoded = indices.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).as_numpy_iterator()
        for index, values in enumerate(decoded):
            for view, value in zip(self._views(index, pixels), values, strict=True):
                view[...] = value

    def _on_disk(self, source, decode, palette, folder, num_bytes):
        folder.mkdir(parents=True, exist_ok=True)
        channels = "" if self._channels == 3 else f" {self._channels} channels"
        key = hashlib.sha256(f"2 {source.fingerprint} {self._sizes} {palette}{channels}".encode()).hexdigest()[:16]
        path = folder / f"decoded_{key}.bin"
        if not (path.is_file() and path.stat().st_size == num_bytes):
            with replacing(path) as part:  # This removes what a killed process left, which may be as large.
                _require_disk(folder, num_bytes)
                _allocate(part, num_bytes)
                pixels = np.memmap(part, np.uint8, mode="r+", shape=(num_bytes,))
                self._fill(decode, pixels)
                pixels.flush()
        return np.memmap(path, np.uint8, mode="r")


def _allocate(path, num_bytes):
    """Allocates the space of a file, because writing to a mapped file on a full disk would kill the process."""
    try:
        with open(path, "r+b") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, num_bytes)
            else:
                for start in range(0, num_bytes, BLOCK_BYTES):
                    file.write(bytes(min(BLOCK_BYTES, num_bytes - start)))
    except OSError as error:
        if not is_out_of_room(error):
            raise
        path.unlink()  # Frees its space before the free space is reported.
        raise _no_room(path.parent, num_bytes) from error


def _starts(sizes, channels):
    lengths = [_padded(channels * height * width) + _padded(height * width) for height, width in sizes]
    return [0, *np.cumsum(lengths, dtype=np.int64).tolist()]


def _padded(num_bytes):
    return -(-num_bytes // ALIGNMENT) * ALIGNMENT


def _aligned(num_bytes):
    pixels = np.empty(num_bytes + ALIGNMENT, np.uint8)
    start = -pixels.ctypes.data % ALIGNMENT
    return pixels[start : start + num_bytes]


def _require_memory(num_bytes):
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not available on every system
        return
    if num_bytes > 0.9 * memory:
        raise ValueError(
            f"The decoded images take {_gigabytes(num_bytes)}, and this machine has {_gigabytes(memory)} of memory. "
            f"Expected data that fits. Pass a folder as cache, on a disk with that much space, or no cache."
        )


def _require_disk(folder, num_bytes):
    if num_bytes > shutil.disk_usage(folder).free:
        raise _no_room(folder, num_bytes)


def _no_room(folder, num_bytes):
    free = shutil.disk_usage(folder).free
    return ValueError(
        f"The decoded images take {_gigabytes(num_bytes)}, and {_gigabytes(free)} are free at {folder}. Expected "
        f"data that fits. Free some space, pass another folder as cache, or no cache."
    )


def _gigabytes(num_bytes):
    return f"{num_bytes / 1e9:.2f} GB"
