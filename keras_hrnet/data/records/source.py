"""Reads packed samples by index inside `tf.data`, as `keras_hrnet.data.pipeline.sources` reads files."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.pipeline.sources import union
from keras_hrnet.data.records.layout import holds_records
from keras_hrnet.data.records.manifest import MANIFEST_NAME, read_manifest, shard_fault
from keras_hrnet.picture_files.compressed import require_zstandard
from keras_hrnet.picture_files.listing import described, parent_described

if TYPE_CHECKING:
    import tensorflow as tf

PACK_AGAIN = "Run the same `keras-hrnet data pack` command again; it keeps undamaged shards and writes the rest."


class Records:
    """Packed samples, read by index: a `Source`, like `Files`.

    Args:
        *folders: folders of records, in the order in which their samples are numbered.
        verify: whether to compare the checksum of each shard now; if False, only its length is compared. The checksum
            of a sample is always compared when it is read.

    Raises:
        FileNotFoundError: if a folder, its manifest or a shard is missing.
        ValueError: if there is no folder, a manifest cannot be read, or a shard is damaged.
        ImportError: if the records hold pixels, and Zstandard is not installed.
    """

    def __init__(self, *folders: str | os.PathLike, verify: bool = True):
        if not folders:
            raise ValueError(
                "Received no folder of records. Expected at least one. Pass a folder that `keras-hrnet data pack` "
                "wrote."
            )
        folders = [Path(folder) for folder in folders]
        shards = [(folder, shard) for folder in folders for shard in _shards_of(folder)]
        _check_shards(shards, contents=verify)
        if any(record.sample.as_pixels for _, shard in shards for record in shard.records):
            require_zstandard()
        self.names, self.image_names, self.sizes = [], [], []
        self._paths_of_images, self._places, self.in_python = [], [], []
        self.occurring = union(shard.occurring for _, shard in shards)
        self._paths = [str(folder / shard.name) for folder, shard in shards]
        self._checksums = [shard.sha256 for _, shard in shards]
        for number, (_, shard) in enumerate(shards):
            for sample, offset, length in shard.records:
                self.names.append(f"{sample.label} in {self._paths[number]}")
                self.sizes.append((sample.height, sample.width))
                self.in_python.append(
                    (sample.image_by_pillow or sample.as_pixels, sample.label_by_pillow or sample.as_pixels)
                )
                self.image_names.append(Path(sample.image).stem)
                self._paths_of_images.append(f"{sample.image} in {self._paths[number]}")
                self._places.append((number, offset, length))

    @property
    def fingerprint(self) -> str:
        """A hash of the checksums of all shards, which does not depend on their location."""
        return hashlib.sha256(" ".join(self._checksums).encode()).hexdigest()

    @property
    def identity(self) -> str:
        """The fingerprint, which does not depend on the location of the shards."""
        return self.fingerprint

    def contents(self, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Reads a sample, which must be undamaged; the names of its files are followed by that of its shard."""
        tf = host_tensorflow()
        shard, offset, length = tf.unstack(tf.constant(self._places, tf.int64)[index])
        path, label_name = tf.constant(self._paths)[shard], tf.constant(self.names)[index]
        record = _record_or_nothing(path, offset)
        sound = tf.debugging.Assert(
            tf.cast(tf.strings.length(record), tf.int64) == length,
            [label_name, "cannot be read at byte", offset, f"or is damaged. Expected an intact record. {PACK_AGAIN}"],
        )
        with tf.control_dependencies([sound]):
            record = tf.identity(record)
        feature = tf.io.FixedLenFeature((), tf.string)
        sample = tf.io.parse_single_example(record, {"image": feature, "label": feature})
        return sample["image"], sample["label"], tf.constant(self._paths_of_images)[index], label_name


def _shards_of(folder):
    manifest = folder / MANIFEST_NAME
    if manifest.is_file():
        return read_manifest(manifest)
    if holds_records(folder):
        raise FileNotFoundError(
            f"{folder} has no {MANIFEST_NAME}, because packing did not finish. Expected complete records. {PACK_AGAIN}"
        )
    raise FileNotFoundError(
        f"{folder} {described(folder)}; {parent_described(folder)}. Expected records with their {MANIFEST_NAME}. Pack "
        "them with `keras-hrnet data pack`, or pass the folder that contains them."
    )


def _check_shards(shards, *, contents):
    with ThreadPoolExecutor() as pool:
        faults = pool.map(lambda place: shard_fault(*place, contents=contents), shards)
        for (folder, shard), fault in zip(shards, faults, strict=True):
            if fault is not None:
                pool.shutdown(cancel_futures=True)
                path = folder / shard.name
                kind = ValueError if path.is_file() else FileNotFoundError
                raise kind(f"{path} {fault}. Expected what {MANIFEST_NAME} states. {PACK_AGAIN}")


def _record_or_nothing(path, offset):
    """Returns the record at a byte of a file, or an empty string if it cannot be read or is damaged."""
    tf = host_tensorflow()
    # TensorFlow's error for a damaged record does not name the file, so `contents` does. The error must occur in a map,
    # because `ignore_errors` would retry forever on a file that cannot be opened.
    offsets = tf.data.Dataset.from_tensors(offset)
    record = offsets.map(lambda offset: _record_at(path, offset)).ignore_errors(log_warning=True)
    return record.concatenate(tf.data.Dataset.from_tensors("")).take(1).get_single_element()


def _record_at(path, offset):
    tf = host_tensorflow()
    # `tf.data.TFRecordDataset` does not accept an offset, and `FixedLengthRecordDataset` reads everything before it.
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=path[None],
        compression_type="",
        # Without a buffer, a record is read from the disk directly to its destination.
        buffer_size=tf.constant(0, tf.int64),
        byte_offsets=offset[None],
    )
    return tf.data.experimental.from_variant(records, tf.TensorSpec((), tf.string)).take(1).get_single_element()
