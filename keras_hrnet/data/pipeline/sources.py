"""Sources, which read the bytes of samples: single files here, and packed samples in `records`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.files.pairs import Headers, Pair

if TYPE_CHECKING:
    import tensorflow as tf


class Source(Protocol):
    """Reads the image and label of any index, inside `tf.data`.

    Args:
        names: names of the label files, for messages.
        image_names: names of the images, without folder and suffix.
        sizes: height and width of each image, in pixels.
        in_python: for each pair, whether the image is decoded in Python, and whether the label is; see `decode_image`.
        occurring: the values or colors that occur in the labels; None if they are not known.
        fingerprint: a text that changes when the files change.
        identity: a text that does not change when the files are moved.
    """

    names: list[str]
    image_names: list[str]
    sizes: list[tuple[int, int]]
    in_python: list[tuple[bool, bool]]
    occurring: frozenset | None
    fingerprint: str
    identity: str

    def contents(self, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Reads a sample.

        Args:
            index: an integer scalar.

        Returns:
            Bytes of the image, bytes of the label, and the names of both: four string scalars.

        Raises:
            tf.errors.InvalidArgumentError: if it has changed since the source was created.
        """


class Files:
    """A source of image and label files.

    Args:
        headers: the result of `check_pairs` for them.
    """

    def __init__(self, pairs: Sequence[Pair], headers: Sequence[Headers]):
        self.names = [str(pair.label) for pair in pairs]
        self.image_names = [pair.image.stem for pair in pairs]
        self.sizes = [header.image[:2] for header in headers]
        self.in_python = [(header.image.by_pillow, header.label.by_pillow) for header in headers]
        self.occurring = union(header.label.occurring for header in headers)
        self._paths = [[str(path) for path in pair] for pair in pairs]
        stats = [[path.stat() for path in pair] for pair in pairs]
        self._num_bytes = [[stat.st_size for stat in of_pair] for of_pair in stats]
        self._times = [[stat.st_mtime_ns for stat in of_pair] for of_pair in stats]

    @property
    def fingerprint(self) -> str:
        """A hash of all paths, lengths and modification times."""
        return hashlib.sha256(repr((self._paths, self._num_bytes, self._times)).encode()).hexdigest()

    @property
    def identity(self) -> str:
        """A hash of the names and lengths of all files, without folders and times; it is the same for copies."""
        names = [[os.path.basename(path) for path in paths] for paths in self._paths]
        return hashlib.sha256(repr((names, self._num_bytes)).encode()).hexdigest()

    def contents(self, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Reads a sample; its files must have the length that they had when the source was created."""
        tf = host_tensorflow()
        image_path, label_path = tf.unstack(as_bytes(self._paths)[index])
        image_bytes, label_bytes = tf.unstack(tf.constant(self._num_bytes, tf.int64)[index])
        image, label = _read_unchanged(image_path, image_bytes), _read_unchanged(label_path, label_bytes)
        return image, label, image_path, label_path


def as_bytes(names: Sequence) -> tf.Tensor:
    """Converts nested names to a tensor of bytes, because names may not be UTF-8, which TensorFlow requires of text."""
    return host_tensorflow().constant(np.vectorize(os.fsencode, otypes=[object])(np.array(names, object)))


def union(parts: Iterable[frozenset | None]) -> frozenset | None:
    """Returns the union of the parts; None if one of them is unknown."""
    parts = list(parts)
    return None if None in parts else frozenset().union(*parts)


class Joined:
    """Two sources as one, in which the second is numbered after the first."""

    def __init__(self, first: Source, second: Source):
        self.names = first.names + second.names
        self.image_names = first.image_names + second.image_names
        self.sizes = first.sizes + second.sizes
        self.in_python = first.in_python + second.in_python
        self.occurring = union([first.occurring, second.occurring])
        self._first, self._second = first, second

    @property
    def fingerprint(self) -> str:
        """Both fingerprints."""
        return f"{self._first.fingerprint} {self._second.fingerprint}"

    @property
    def identity(self) -> str:
        """Both identities."""
        return f"{self._first.identity} {self._second.identity}"

    def contents(self, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Reads a sample of one of them."""
        first = len(self._first.names)
        return host_tensorflow().cond(
            index < first, lambda: self._first.contents(index), lambda: self._second.contents(index - first)
        )


def _read_unchanged(path, num_bytes):
    # TensorFlow's decoder does not name the file that it fails on.
    tf = host_tensorflow()
    contents = tf.io.read_file(path)
    found = tf.cast(tf.strings.length(contents), tf.int64)
    unchanged = tf.debugging.Assert(
        found == num_bytes,
        [
            path,
            "has",
            found,
            "bytes. Expected the",
            num_bytes,
            "that it had when the dataset was created. Create the dataset again.",
        ],
    )
    with tf.control_dependencies([unchanged]):
        return tf.identity(contents)
