"""Images to compare a file with Keras on: whether they are pixels, and some to take where none are given."""

import numpy as np


def check_range(images):
    """Refuses what are no pixels in [0, 255].

    Args:
        images: an array of any shape and dtype.

    Raises:
        ValueError: if values are beyond, or floats that are all in [0, 1].
    """
    if not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if not -0.5 <= low <= high <= 255.5:
        raise ValueError(
            f"Received representative_data with values in [{low:.3g}, {high:.3g}]. Expected RGB in [0, 255]: the "
            "network normalizes by itself. Pass the images before any normalization."
        )
    if images.dtype.kind == "f" and 0 < high <= 1:
        raise ValueError(
            f"Received representative_data with {images.dtype} values in [{low:.3g}, {high:.3g}]. Expected RGB in "
            "[0, 255]: to the network, these are black. Multiply them by 255."
        )


def noise_and_gradients(image_size, seed=0):
    """Makes two images that no network has seen.

    Args:
        image_size: (height, width) in pixels.
        seed: of the noise.

    Returns:
        uint8 `(2, height, width, 3)`, RGB in [0, 255]: noise, and gradients.
    """
    height, width = image_size
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    down = np.broadcast_to(np.linspace(0, 255, height)[:, np.newaxis], image_size)
    right = np.broadcast_to(np.linspace(0, 255, width), image_size)
    gradients = np.stack([down, right, 255 - right], axis=-1).astype(np.uint8)
    return np.stack([noise, gradients])
