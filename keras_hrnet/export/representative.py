"""Reads the images that a file is compared with Keras on, and quantized by."""

import dataclasses

import numpy as np

from keras_hrnet.export.images import check_range, noise_and_gradients

# Each takes a run of the float file with all its tensors kept: 0.2 s for HRNetW18Small at 256x512.
NUM_CALIBRATION_IMAGES = 64
NUM_VERIFICATION_IMAGES = 4


@dataclasses.dataclass(frozen=True)
class Representative:
    """Images as a network will see them, and what is on them.

    Args:
        images: uint8 `(num_images, height, width, 3)`, RGB in [0, 255].
        labels: integer `(num_images, height, width)`, 255 = ignore; None if there are none.
    """

    images: np.ndarray
    labels: np.ndarray | None = None

    def first(self, number):
        """Returns the first images, with their labels."""
        return Representative(self.images[:number], None if self.labels is None else self.labels[:number])


def read_representative(options, data=None, number=NUM_VERIFICATION_IMAGES):
    """Takes or makes images.

    Args:
        options: a `TFLiteOptions`.
        data: an array of images `(num_images, height, width, 3)`, RGB in [0, 255], or an iterable of batches of such
            or of `(images, labels)`; or None for seeded noise and gradients.
        number: how many images to take; no more are read than that needs.

    Returns:
        A `Representative`.

    Raises:
        ValueError: if the images have another size than the options say, there are none, or their values are not
            pixels in [0, 255].
    """
    if data is None:
        return Representative(noise_and_gradients(options.image_size))
    if hasattr(data, "shape"):
        data = [data]
    images, labels = [], []
    for batch in data:
        has_labels = isinstance(batch, (tuple, list))
        found = np.asarray(batch[0] if has_labels else batch)
        _check_size(found, options)
        check_range(found)
        images.extend(np.clip(np.rint(found), 0, 255).astype(np.uint8))
        if has_labels and len(batch) > 1:
            labels.extend(np.asarray(batch[1]))
        if len(images) >= number:
            break
    if not images:
        raise ValueError("Received representative_data without images. Expected at least one. Check the dataset.")
    complete = len(labels) == len(images)
    return Representative(np.stack(images[:number]), np.stack(labels[:number]) if complete else None)


def _check_size(images, options):
    if images.shape[1:] != (*options.image_size, 3):
        raise ValueError(
            f"Received representative_data with images of shape {images.shape}. Expected (num_images, "
            f"{options.image_size[0]}, {options.image_size[1]}, 3), as image_size={options.image_size} says. "
            "Resize or crop them to it."
        )
