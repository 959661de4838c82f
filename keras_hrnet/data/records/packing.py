"""Packs pairs of files into shards of TFRecords: their bytes unchanged, or their pixels."""

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.files.pairs import Pair, examine_pairs
from keras_hrnet.data.records.manifest import (
    FRAMING_BYTES,
    MANIFEST_NAME,
    Record,
    Shard,
    earlier_part_of,
    own_manifest_of,
    sha256_of,
    write_manifest,
)
from keras_hrnet.data.records.plan import plan_shards
from keras_hrnet.data.records.resumption import undamaged_shards
from keras_hrnet.data_sets import LabelValues
from keras_hrnet.picture_files.compressed import compressed, require_zstandard
from keras_hrnet.picture_files.pixels import NUMPY_SIGNATURE, rgb_pixels, stored_pixels
from keras_hrnet.picture_files.reading import read_file
from keras_hrnet.replacing import remove_parts, replacing


class Packed(NamedTuple):
    """The content of a folder after packing; `num_kept` of its shards existed before."""

    num_samples: int
    num_shards: int
    num_kept: int
    num_bytes: int


def pack(
    pairs: Sequence[Pair],
    folder: str | os.PathLike,
    *,
    known: LabelValues,
    shard_size: int = 2**28,
    as_pixels: bool = False,
    on_sample: Callable[[], Any] | None = None,
) -> Packed:
    """Packs pairs of image and label into a few large files, for disks and networks that are slow with many small ones.

    Each sample is a `tf.train.Example` with `image` and `label` (the bytes of both files, unchanged), `image_name` and
    `label_name` (their paths below the folder that all files share), `height` and `width`, so that any reader of
    TFRecords can read them. A manifest stores the position of each sample; with it, `Records` reads samples in any
    order.

    If packing is interrupted, call the function again to resume it; finished shards with a correct checksum are kept. A
    file that was changed in the meantime is detected only by its length. All files are checked while they are packed.

    Args:
        folder: folder to write to; it is created if it does not exist.
        shard_size: maximum size of a shard, in bytes. Unlike a number of samples, it limits how much work an
            interruption loses, and how much is copied or read at once, for images of any size.
        as_pixels: whether to store pixels instead of files: RGB, or the array of a NumPy file, and what the label image
            stores, each as a NumPy file that is compressed by Zstandard. They are faster to read than PNG, because no
            picture is decoded, and take more room.
        on_sample: function that is called without arguments for each sample that is packed or already existed.

    Raises:
        TypeError: if the shard size is not an integer.
        ValueError: if a file cannot be used, or the folder contains anything else.
        OSError: if there is not enough space on the disk.
        ImportError: if pixels are to be stored, and Zstandard is not installed.
    """
    if as_pixels:
        require_zstandard()
    folder = Path(folder)
    plan = plan_shards(pairs, shard_size=shard_size, known=known, as_pixels=as_pixels)
    kept = undamaged_shards(folder, plan)
    missing = [planned for planned in plan if planned.name not in kept]
    if folder.is_dir():
        remove_parts(folder)  # They may take up the room that is needed.
    _require_room(folder, missing)
    folder.mkdir(parents=True, exist_ok=True)
    on_sample = on_sample or (lambda: None)
    shards = []
    for planned in plan:
        if planned.name in kept:
            shards.append(kept[planned.name])
            for _ in planned.samples:
                on_sample()
        else:
            shards.append(_write_shard(folder, planned, known, on_sample))
    _close(folder, shards)
    num_samples = sum(len(shard.records) for shard in shards)
    return Packed(num_samples, len(shards), len(kept), sum(shard.size for shard in shards))


def _require_room(folder, missing):
    needed, free = sum(planned.num_bytes for planned in missing), _free_bytes(folder)
    if needed > free:
        raise OSError(
            f"{folder} is on a disk with {free:,} bytes free. Expected {needed:,} bytes, for {len(missing)} shards "
            f"that remain to be written. Free {needed - free:,} bytes there, or pack to another disk."
        )


def _free_bytes(folder):
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _write_shard(folder, planned, known, on_sample):
    tf = host_tensorflow()
    path = folder / planned.name
    try:
        with replacing(path) as part:
            records, occurring = _write_records(part, planned, known, on_sample)
            shard = Shard(planned.name, part.stat().st_size, sha256_of(part), records, occurring)
            # The manifest is written first, because a shard without one would not be recognized when packing is
            # resumed.
            write_manifest(folder / own_manifest_of(planned.name), [shard])
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"{path} could not be written ({error}); {_free_bytes(folder):,} bytes are free there. Expected space for "
            f"{planned.num_bytes:,} bytes, and for the shards after it. Free some space, and pack again; finished "
            "shards are kept."
        ) from error
    return shard


def _write_records(part, planned, known, on_sample):
    tf = host_tensorflow()
    records, occurring, offset = [], frozenset(), 0
    with (
        # Closing the generator ends its threads now, and not when Python collects it.
        contextlib.closing(examine_pairs(planned.pairs, known=known)) as examinations,
        tf.io.TFRecordWriter(str(part)) as writer,
    ):
        for pair, sample, examination in zip(planned.pairs, planned.samples, examinations, strict=True):
            if examination.faults:
                raise examination.faults[0]
            content = _example(pair, sample)
            writer.write(content)
            records.append(Record(sample, offset, len(content)))
            occurring |= examination.labels[0].occurring
            offset += len(content) + FRAMING_BYTES
            on_sample()
    return tuple(records), occurring


def _example(pair, sample):
    train = host_tensorflow().train

    def feature(*values):
        if isinstance(values[0], bytes):
            return train.Feature(bytes_list=train.BytesList(value=values))
        return train.Feature(int64_list=train.Int64List(value=values))

    image = _read_unchanged(pair.image, sample.image_bytes)
    label = _read_unchanged(pair.label, sample.label_bytes)
    if sample.as_pixels:
        image, label = _compressed_image(image, pair.image), compressed(stored_pixels(label, pair.label))
    features = {
        "image": feature(image),
        "label": feature(label),
        "image_name": feature(sample.image.encode()),
        "label_name": feature(sample.label.encode()),
        "height": feature(sample.height),
        "width": feature(sample.width),
    }
    # Without `deterministic`, the order of the features may vary.
    return train.Example(features=train.Features(feature=features)).SerializeToString(deterministic=True)


def _compressed_image(content, path):
    if content.startswith(NUMPY_SIGNATURE):
        return compressed(np.load(io.BytesIO(content), allow_pickle=False))
    return compressed(rgb_pixels(content, path))


def _read_unchanged(path, num_bytes):
    content = read_file(path)
    if len(content) != num_bytes:
        raise ValueError(
            f"{path} now has {len(content)} bytes. Expected the {num_bytes} bytes that it had when packing started. "
            "Make sure that nothing writes to the files, and pack to another folder."
        )
    return content


def _close(folder, shards):
    write_manifest(folder / MANIFEST_NAME, shards)
    for shard in shards:
        own = own_manifest_of(shard.name)
        for name in (own, earlier_part_of(own), earlier_part_of(shard.name)):
            Path(folder, name).unlink(missing_ok=True)
