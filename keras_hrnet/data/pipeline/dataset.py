"""Makes a `tf.data.Dataset` of batches from a source of files, for all data sets."""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import TYPE_CHECKING

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.data.label_coding import LabelCoding
from keras_hrnet.data.occurrence import missing_classes, require_classes, warning_of_missing
from keras_hrnet.data.pipeline.cache import DecodedCache
from keras_hrnet.data.pipeline.class_points import class_points
from keras_hrnet.data.pipeline.decoding import decode_image, decode_label, train_ids
from keras_hrnet.data.pipeline.options import Options
from keras_hrnet.data.pipeline.sampling import EpochPlan
from keras_hrnet.data.pipeline.sources import Source, as_bytes
from keras_hrnet.data.transforms.augmentation import augmented
from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.distributed.processes import num_devices

if TYPE_CHECKING:
    import tensorflow as tf

MOST_PARALLEL_CALLS = 32
"""Upper limit of the default number of images that are prepared at the same time. It limits memory: a decoded pair of
2048x1024 takes 8 MiB, in addition to its crop."""


class Reader:
    """Decodes the images and labels of a source, inside `tf.data`.

    Args:
        coding: how its label images store the classes.
        cache: "memory", a folder, or `None`.
        channels: number of channels of the images.
    """

    def __init__(self, source: Source, coding: LabelCoding, cache: str | os.PathLike | None = None, channels: int = 3):
        self.source = source
        self.coding = coding
        self.channels = channels
        tf = host_tensorflow()
        self._names = as_bytes(source.names)
        self._in_python = tf.constant(source.in_python, tf.bool, (len(source.names), 2))
        self._cache = None if cache is None else DecodedCache(source, self._decode, coding.palette, cache, channels)

    def read(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the image, uint8 `(height, width, channels)`, and the label's stored values, `(height, width)`."""
        return self._decode(index) if self._cache is None else self._cache.read(index)

    def read_train_ids(self, index: tf.Tensor) -> tf.Tensor:
        """Returns only the label: train ids, uint8 `(height, width)`."""
        _, contents, _, name = self.source.contents(index)
        return self.train_ids(decode_label(contents, self.coding.palette, name, self._in_python[index, 1]), index)

    def train_ids(self, label: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        """Maps stored values of the label of an index to train ids."""
        return train_ids(label, self.coding, self._names[index])

    def _decode(self, index):
        image, label, image_name, label_name = self.source.contents(index)
        in_python = self._in_python[index]
        return (
            decode_image(image, image_name, in_python[0], self.channels),
            decode_label(label, self.coding.palette, label_name, in_python[1]),
        )


def make_dataset(
    source: Source,
    coding: LabelCoding,
    options: Options,
    *,
    description: str,
    num_coarse_images: int = 0,
    is_annotated: bool = True,
) -> tf.data.Dataset:
    """Makes batches of a data set.

    Args:
        coding: how its label images store the classes.
        description: name of the data set in errors.
        num_coarse_images: number of coarsely annotated images, which are the last ones of the source.
        is_annotated: whether the labels must contain pixels of classes; those of a test split often do not.

    Returns:
        A `tf.data.Dataset` of known length with batches `(image, label)`: uint8 `(batch, height, width, channels)`, RGB
        or other channels in [0, 255], and uint8 `(batch, height, width)`, train ids with 255 for ignored pixels. It has
        these attributes:

        - `classes`, and their names as `class_names`;
        - `fingerprint`, which is the same for copies of the same files;
        - `image_sizes`, the height and width of each image;
        - `labels()`, only the labels, in pairs `(index, label)`;
        - `missing_classes`, the names of the classes that have no pixels in the labels, and `warning`, with which
            `train` warns of them; both are None if the labels have not been read;
        - `image_names`, only for whole images in order;
        - `from_step(step)`, only for training data: the infinite sequence of batches from a step, counted over all
            epochs;
        - `files_of_step(step)`, only for training data: the label files of a batch.

    Raises:
        ValueError: if there are too few images for a batch, the images have several sizes but a batch requires one, or
            the labels have no pixels of any class.
    """
    num_images = len(source.sizes) - num_coarse_images
    if options.augment and options.batch_size > num_images:
        raise ValueError(
            f"Received batch_size={options.batch_size} for the {num_images} images of {description}. Expected at least "
            f"one full batch of training data. Pass batch_size={num_images} or less."
        )
    if options.crop_size is None and options.batch_size > 1:
        _require_one_size(source, options)
    if is_annotated:
        require_classes(source.occurring, coding, description)
    reader = Reader(source, coding, options.cache, options.channels)
    if options.augment:
        dataset = _training_dataset(reader, options, num_coarse_images)
    else:
        dataset = _evaluation_dataset(reader, options)
    dataset.classes = coding.classes
    dataset.class_names = coding.classes.names
    dataset.missing_classes = None if source.occurring is None else missing_classes(source.occurring, coding)
    dataset.warning = warning_of_missing(source.occurring, coding, description)
    dataset.image_sizes = tuple(source.sizes[:num_images])
    dataset.labels = lambda: _labels(reader, num_images)
    if not options.augment and num_devices() == options.shard.count == 1:
        dataset.image_names = tuple(source.image_names)
    dataset.fingerprint = hashlib.sha256(f"{source.identity} {coding.reading}".encode()).hexdigest()
    return dataset


def _labels(reader, num_images):
    """Makes a dataset of the pairs `(index, label)` of the finely annotated images."""
    tf = host_tensorflow()
    labels = tf.data.Dataset.range(num_images).map(
        lambda index: (index, reader.read_train_ids(index)), num_parallel_calls=tf.data.AUTOTUNE
    )
    return labels.prefetch(1)


def _require_one_size(source, options):
    for name, size in zip(source.names, source.sizes, strict=True):
        if size != source.sizes[0]:
            cure = "Pass crop_size, or batch_size=1." if options.augment else "Pass batch_size=1."
            raise ValueError(
                f"{name} is {size[0]}x{size[1]} (height x width), and {source.names[0]} is "
                f"{source.sizes[0][0]}x{source.sizes[0][1]}. Expected the same size, for batches of several whole "
                f"images. {cure}"
            )


def _training_dataset(reader, options, num_coarse_images):
    """Makes full batches of augmented crops, in a new order in each epoch, split across the processes."""
    tf = host_tensorflow()
    num_fine = len(reader.source.sizes) - num_coarse_images
    plan = EpochPlan(
        num_fine,
        seed=options.seed,
        points=_points(reader, num_fine) if options.class_uniform else (),
        class_uniform=options.class_uniform,
        num_coarse_images=num_coarse_images,
        coarse=options.coarse,
    )
    size = options.crop_size or _one_size(reader.source.sizes)

    def sample(place, epoch):
        pick = plan.pick(place, epoch)
        image, label = reader.read(pick.index)
        return augmented(
            image,
            label,
            augmentation=options.augmentation,
            crop_size=size or tf.unstack(tf.shape(label)),
            seed=pick.seed,
            focus=pick.focus if options.class_uniform else None,
            to_train_ids=lambda values: reader.train_ids(values, pick.index),
            mirrored_ids=reader.coding.classes.mirrored_ids,
        )

    def batches(numbered):
        return _batched(numbered.map(sample, **_parallel(options)), options)

    num_steps = num_fine // options.batch_size
    dataset = batches(_epochs(_places(num_steps, options)))
    dataset.from_step = lambda step: batches(_places_from(step, num_steps, options))
    dataset.files_of_step = lambda step: [
        reader.source.names[int(plan.pick(place, epoch).index)]
        for place, epoch in _places_from(step, num_steps, options).take(options.local_batch_size)
    ]
    return dataset


def _points(reader, num_fine):
    # Coarse labels are outlines inside the objects, so a point of them reveals little about its surroundings.
    points = class_points(reader.source, reader.read_train_ids, reader.coding)
    return [of_class[of_class[:, 0] < num_fine] for of_class in points]


def _evaluation_dataset(reader, options):
    """Makes batches of whole images, in their order.

    Devices and processes must make the same number of steps with the same shape. With several of them, the last batch
    is therefore padded with black images whose labels are ignored, which no score and no cross-entropy counts.
    """
    tf = host_tensorflow()
    sizes = reader.source.sizes
    height, width = _one_size(sizes) or (None, None)
    is_shared = max(options.shard.count, num_devices()) > 1

    def read(index):
        image, label = reader.read(index)
        return image, reader.train_ids(label, index)

    def blank():
        return tf.zeros((*sizes[0], reader.channels), tf.uint8), tf.fill(sizes[0], tf.constant(IGNORE_LABEL, tf.uint8))

    def sample(index):
        image, label = tf.cond(index < len(sizes), lambda: read(index), blank) if is_shared else read(index)
        return tf.ensure_shape(image, (height, width, reader.channels)), tf.ensure_shape(label, (height, width))

    num_steps = -(-len(sizes) // options.batch_size)
    places = _places(num_steps, options) if is_shared else tf.data.Dataset.range(len(sizes))
    # If every batch is full, the batch size is static, so that JAX compiles only once.
    full = is_shared or len(sizes) % options.batch_size == 0
    return _batched(places.map(sample, **_parallel(options)), options, drop_remainder=full)


def _one_size(sizes):
    return sizes[0] if len(set(sizes)) == 1 else None


def _places(num_steps, options):
    """Returns the places of this process: in each step, its part of the batch of all processes."""
    places = host_tensorflow().data.Dataset.range(num_steps * options.local_batch_size)
    return places if options.shard.count == 1 else places.map(lambda i: _place(i, options))


def _places_from(step, num_steps, options):
    """Returns all places from a step, counted over all epochs, without end, each with the number of its epoch."""
    tf = host_tensorflow()
    size = num_steps * options.local_batch_size
    counted = tf.data.Dataset.range(step * options.local_batch_size, tf.int64.max)
    return counted.map(lambda i: (_place(i % size, options), i // size))


def _place(i, options):
    local = options.local_batch_size
    return i // local * options.batch_size + options.shard.index * local + i % local


def _epochs(places):
    """Returns places with the number of the epoch, which increases each time the dataset is iterated."""
    tf = host_tensorflow()
    epochs = itertools.count()

    def begin(_):
        return tf.ensure_shape(tf.numpy_function(lambda: next(epochs), [], tf.int64), ())

    # Not `from_generator`, whose operation makes the whole process return memory at every free (M_TRIM_THRESHOLD).
    numbered = tf.data.Dataset.range(1).map(begin).flat_map(lambda epoch: places.map(lambda place: (place, epoch)))
    return numbered.apply(tf.data.experimental.assert_cardinality(len(places)))


def _parallel(options):
    # Two for each core, so that no core waits for a file; `AUTOTUNE` starts with one, and was slower in four of five
    # runs.
    calls = options.num_parallel_calls or min(2 * os.cpu_count(), MOST_PARALLEL_CALLS)
    return {"num_parallel_calls": calls, "deterministic": options.deterministic}


def _batched(samples, options, drop_remainder=True):
    tf = host_tensorflow()
    choices = tf.data.Options()
    choices.deterministic = options.deterministic
    if options.shard.count > 1:
        # Each process already reads its own part; sharding again would lose data.
        choices.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    dataset = samples.batch(options.local_batch_size, drop_remainder=drop_remainder)
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(choices)
