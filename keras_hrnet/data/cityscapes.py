"""Cityscapes as a `tf.data.Dataset` of images and train ids."""

import itertools
from collections.abc import Sequence
from numbers import Integral

from keras_hrnet.data.files import check_pairs, find_pairs
from keras_hrnet.data.host_tensorflow import host_tensorflow
from keras_hrnet.data.transforms import random_scale_crop_flip, scale_steps
from keras_hrnet.labels import TRAIN_ID_OF_ID, UNKNOWN_ID


def cityscapes(root, split, *, batch_size=1, crop_size=None, augment=None, scales=(0.5, 2.1), verify=True, seed=0):
    """Makes a `tf.data.Dataset` of Cityscapes, for `fit`, `evaluate` and `predict` on every backend.

    Training data (`augment`) is shuffled anew in every epoch, scaled, cropped and flipped at random, and batches are
    always full. Evaluation data is whole images in the order of their names, and nothing is left out. Label ids become
    train ids while reading, so the files stay as they were downloaded.

    Each time the dataset is iterated is one epoch: it has an order and crops of its own, which depend on `seed`, the
    number of the epoch and the image alone, never on threads. Where Keras looks at a first batch to build a model, that
    is an epoch too.

    All files are checked first: 100 pairs of 2048x1024 take 1.5 s on two cores where the files are in memory, and as
    long as reading them elsewhere. With `verify=False`, only names, sizes and pixel formats are checked (0.01 s).

    Args:
        root: the folder that holds `leftImg8bit` and `gtFine`.
        split: "train", "val", "test", or "trainval" for train and val together. The labels of "test" are dummies.
        batch_size: images in a batch. Batches of several whole images need images of one size.
        crop_size: `(height, width)` of training images, in pixels; `None` keeps the size of each image. Evaluation has
            none.
        augment: whether this is training data; `None` means that of "train" and "trainval" is.
        scales: the lower and the upper scale of training images, multiples of 0.1; all steps of 0.1 between are drawn
            equally often.
        verify: whether to read all files once, to find damaged ones and foreign label ids before training does.
        seed: what order, crops and flips follow from, an integer.

    Returns:
        A `tf.data.Dataset` of known length with batches `(image, label)`: uint8 `(batch, height, width, 3)`, RGB in
        [0, 255], and uint8 `(batch, height, width)`, train ids with 255 for ignored pixels.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if an argument or a file cannot be used.
        FileNotFoundError: if a folder or a label image is missing.

    Example:

    ```python
    train = cityscapes("data/cityscapes", "train", batch_size=12, crop_size=(512, 1024))
    val = cityscapes("data/cityscapes", "val")
    model.fit(train, validation_data=val, epochs=484)
    ```

    Reference: the scales and the crop are those of HRNet-Semantic-Segmentation, `lib/datasets/base_dataset.py`.
    """
    augment = split in ("train", "trainval") if augment is None else augment
    pairs = find_pairs(root, split)
    batch_size, crop_size = _checked_sizes(batch_size, crop_size)
    if crop_size is not None and not augment:
        raise ValueError(
            f"Received crop_size={crop_size} for evaluation data. Expected none: evaluation is on whole images. "
            f"Leave crop_size out, or pass augment=True to train on the split {split!r}."
        )
    if not isinstance(seed, Integral):
        raise TypeError(f"Received seed={seed!r}. Expected an integer. Pass one, such as 0.")
    steps = scale_steps(scales)
    if augment and batch_size > len(pairs):
        raise ValueError(
            f"Received batch_size={batch_size} for the {len(pairs)} images of the split {split!r}. Expected at least "
            f"one full batch of training data. Pass batch_size={len(pairs)} or less."
        )
    sizes = [header[:2] for header in check_pairs(pairs, contents=verify)]
    if crop_size is None and batch_size > 1:
        _require_one_size(pairs, sizes, augment)
    size = crop_size or (sizes[0] if len(set(sizes)) == 1 else None)
    samples = _training_samples(pairs, size, steps, seed) if augment else _evaluation_samples(pairs, size)
    # The graph knows the batch size where every batch is full; JAX then compiles once.
    full = augment or len(pairs) % batch_size == 0
    return samples.batch(batch_size, drop_remainder=full).prefetch(host_tensorflow().data.AUTOTUNE)


def train_ids(label, path):
    """Maps label ids to train ids.

    Args:
        label: uint8 `(height, width)`, label ids of the Cityscapes table; 255 stands for −1.
        path: the file that they are from, a string scalar, for the error.

    Returns:
        uint8 `(height, width)`: 0 to 18, and 255 for ignored pixels.

    Raises:
        tf.errors.InvalidArgumentError: if a pixel has an id that the table does not have.
    """
    tf = host_tensorflow()
    mapped = tf.gather(tf.constant(TRAIN_ID_OF_ID, tf.uint8), tf.cast(label, tf.int32))
    known = tf.debugging.Assert(
        tf.reduce_all(mapped != UNKNOWN_ID),
        [path, "holds label ids outside the Cityscapes table. Expected 0 to 33, and 255. Restore the file."],
    )
    with tf.control_dependencies([known]):
        return tf.identity(mapped)


def _checked_sizes(batch_size, crop_size):
    batch_size = _positive_integer("batch_size", batch_size)
    if crop_size is None:
        return batch_size, None
    if not isinstance(crop_size, Sequence) or len(crop_size) != 2:
        raise TypeError(f"Received crop_size={crop_size!r}. Expected (height, width). Pass a pair such as (512, 1024).")
    return batch_size, tuple(_positive_integer("crop_size", size) for size in crop_size)


def _positive_integer(name, value):
    if not isinstance(value, Integral):
        raise TypeError(f"Received {name} with {value!r}. Expected an integer. Pass {name} in whole numbers.")
    if value < 1:
        raise ValueError(f"Received {name} with {value}. Expected a positive integer. Pass 1 or more.")
    return int(value)


def _require_one_size(pairs, sizes, augment):
    for pair, size in zip(pairs, sizes, strict=True):
        if size != sizes[0]:
            cure = "Pass crop_size, or batch_size=1." if augment else "Pass batch_size=1."
            raise ValueError(
                f"{pair.image} is {size[0]}x{size[1]} (height x width), and {pairs[0].image} is "
                f"{sizes[0][0]}x{sizes[0][1]}. Expected one size, for batches of several whole images. {cure}"
            )


def _training_samples(pairs, size, steps, seed):
    tf = host_tensorflow()
    read = _reader(pairs)

    def sample(index, epoch):
        image, label, path = read(index)
        crop_size = size or tf.unstack(tf.shape(label))
        sample_seed = tf.random.fold_in(tf.stack([seed, epoch]), index)
        image, label = random_scale_crop_flip(image, label, crop_size=crop_size, scales=steps, seed=sample_seed)
        # After the crop, which leaves fewer pixels to look up: its padding of 255 is the license plate's id, which is
        # ignored just as well.
        return image, train_ids(label, path)

    return _shuffled_indices(len(pairs), seed).map(sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _evaluation_samples(pairs, size):
    tf = host_tensorflow()
    read = _reader(pairs)
    height, width = size or (None, None)

    def sample(index):
        image, label, path = read(index)
        return tf.ensure_shape(image, (height, width, 3)), tf.ensure_shape(train_ids(label, path), (height, width))

    indices = tf.data.Dataset.range(len(pairs))
    return indices.map(sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _shuffled_indices(num_images, seed):
    """The indices of all images with the number of the epoch, in another order each time it is iterated."""
    tf = host_tensorflow()
    epochs = itertools.count()

    def epoch_indices(epoch):
        order_seed = tf.stack([seed, epoch])
        positions = tf.data.Dataset.range(num_images)
        return positions.map(
            lambda position: (tf.random.experimental.index_shuffle(position, order_seed, num_images - 1), epoch)
        )

    # tf.data calls the generator anew each time the dataset is iterated.
    epoch = tf.data.Dataset.from_generator(lambda: [next(epochs)], output_signature=tf.TensorSpec((), tf.int64))
    return epoch.flat_map(epoch_indices).apply(tf.data.experimental.assert_cardinality(num_images))


def _reader(pairs):
    """A function that decodes the pair of an index: the image, the label ids, and the path of the latter."""
    tf = host_tensorflow()
    paths = tf.constant([[str(path) for path in pair] for pair in pairs])
    num_bytes = tf.constant([[path.stat().st_size for path in pair] for pair in pairs])

    def read(index):
        image_path, label_path = tf.unstack(paths[index])
        image_bytes, label_bytes = tf.unstack(num_bytes[index])
        image = tf.io.decode_png(_read_unchanged(image_path, image_bytes), channels=3)
        label = tf.io.decode_png(_read_unchanged(label_path, label_bytes), channels=1)
        return image, label[:, :, 0], label_path

    return read


def _read_unchanged(path, num_bytes):
    # TensorFlow's decoder does not name the file that it fails on.
    tf = host_tensorflow()
    contents = tf.io.read_file(path)
    found = tf.strings.length(contents)
    unchanged = tf.debugging.Assert(
        found == num_bytes,
        [path, "has", found, "bytes. Expected the", num_bytes, "that it had when the dataset was made. Make it anew."],
    )
    with tf.control_dependencies([unchanged]):
        return tf.identity(contents)
