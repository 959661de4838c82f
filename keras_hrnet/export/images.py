"""The images for verification and calibration: read from data, or generated if there is none."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_hrnet.export.options import ExportOptions
from keras_hrnet.models.interface import check_pixels

# The sizes that are used if any size is accepted: one that can be halved five times, and an odd one. Networks that also
# run at a quarter of the size still get at least 17 pixels.
SIZES = ((96, 128), (101, 139))


# Keras's outputs for them are kept in memory, 40 MB each at 512x1024 with 19 classes.
NUM_VERIFICATION_IMAGES = 4


class Batch(NamedTuple):
    """Images `(num_images, height, width, channels)`, and their train ids `(num_images, height, width)`, if known.

    Pixels are uint8; images in other units keep their dtype.
    """

    images: np.ndarray
    labels: np.ndarray | None = None


class Images(NamedTuple):
    """The images on which a file is compared with Keras, and the images with which its integers are calibrated.

    Args:
        verification: batches of images.
        calibration: images `(num_images, height, width, channels)`; None if nothing is calibrated.
    """

    verification: list[Batch]
    calibration: np.ndarray | None = None


def read_images(options: ExportOptions, data: Any = None) -> Images:
    """Reads or generates images.

    If integers are calibrated, the last quarter of the images, at least one and at most four, is held out for
    verification, so that no file is verified on images that it was calibrated with. Repeated images and images of a
    single color are left out first, because any file would agree on them.

    Args:
        options: options of the file; at most `num_images` are used, and no more are read than necessary.
        data: an array of images `(num_images, height, width, channels)` as the network accepts them, or an iterable of
            batches of images or of `(images, labels)`; or None for seeded noise and gradients, in two sizes if the file
            accepts any size.

    Raises:
        ValueError: if integers are calibrated and there is no data, the images have another size than in the options,
            there are no images or too few to calibrate and verify, or their values are not pixels in [0, 255].
    """
    if data is None and options.is_calibrated:
        raise ValueError(
            f"Received precision={options.precision!r} without representative_data. Expected images, with which the "
            "ranges of its integers are calibrated. Pass the training dataset, or "
            f"precision={options.uncalibrated!r}, which needs none."
        )
    if data is None:
        return Images(_generated(options))
    batches = list(first_images(_read([data] if hasattr(data, "shape") else data, options), options.num_images))
    if not batches:
        raise ValueError("Received representative_data without images. Expected at least one. Check the dataset.")
    return _divided(batches, options) if options.is_calibrated else Images(batches)


def _divided(batches, options):
    images = np.concatenate([batch.images for batch in batches])
    first = {}
    for i, image in enumerate(images):
        first.setdefault(image.tobytes(), i)
    kept = [i for i in first.values() if (images[i] != images[i, 0, 0]).any()]
    if len(kept) < 2:
        raise ValueError(
            f"Received representative_data with {len(images)} images for precision={options.precision!r}, of which "
            f"{len(kept)} remain without repeated images and images of a single color. Expected at least two, "
            "because some calibrate the integers, and the file is verified on the others. Pass photos like those "
            f"that the network will see, 16 or more, or precision={options.uncalibrated!r}, which needs none."
        )
    number = min(max(len(kept) // 4, 1), NUM_VERIFICATION_IMAGES)
    calibration, verification = kept[:-number], kept[-number:]
    labels = [batch.labels for batch in batches]
    known = all(x is not None for x in labels)
    return Images(
        [Batch(images[verification], np.concatenate(labels)[verification] if known else None)], images[calibration]
    )


def first_images(batches: Iterable[Batch], number: int) -> Iterator[Batch]:
    """Yields the first images of batches, with their labels, and reads no further."""
    for images, labels in batches:
        yield Batch(images[:number], None if labels is None else labels[:number])
        number -= len(images)
        if number <= 0:
            return


def _read(data, options):
    for batch in data:
        images, labels = (*batch, None)[:2] if isinstance(batch, tuple | list) else (batch, None)
        images = np.asarray(images)
        _check_size(images, options)
        if options.takes_pixels:
            check_pixels(images, "representative_data")
        if len(images):
            pixels = np.clip(np.rint(images), 0, 255).astype(np.uint8) if options.takes_pixels else images
            yield Batch(pixels, None if labels is None else np.asarray(labels))


def _check_size(images, options):
    wanted = options.input_shape[1:]
    if images.ndim != 4 or any(b not in (None, a) for a, b in zip(images.shape[1:], wanted, strict=True)):
        raise ValueError(
            f"Received representative_data with images of shape {images.shape}. Expected (num_images, "
            f"{', '.join('any' if length is None else str(length) for length in wanted)}), which the file accepts. "
            "Resize or crop them to that size."
        )


def _generated(options):
    sizes = [
        tuple(length or other for length, other in zip(options.image_size, default, strict=True)) for default in SIZES
    ]
    # Two images have the first size, and one has the second.
    return [
        Batch(_noise_and_gradients(size, options.channels, seed=i)[i:]) for i, size in enumerate(dict.fromkeys(sizes))
    ]


def _noise_and_gradients(image_size, channels, seed):
    height, width = image_size
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    down = np.broadcast_to(np.linspace(0, 255, height)[:, np.newaxis], image_size)
    right = np.broadcast_to(np.linspace(0, 255, width), image_size)
    gradients = np.stack([(down, right, 255 - right)[i % 3] for i in range(channels)], axis=-1).astype(np.uint8)
    return np.stack([noise, gradients])
