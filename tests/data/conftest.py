"""Small sets of files in the layouts that the package reads."""

import numpy as np
import pytest
from PIL import Image

SIZE = (24, 40)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def write_split():
    """Returns a function that writes images whose blue channel is ten times their number, so that crops say it."""

    def write(root, split, num_images, size=SIZE, annotation="gtFine", first=1):
        rng = np.random.default_rng(num_images)
        for i in range(num_images):
            image = rng.integers(1, 256, (*size, 3), dtype=np.uint8)
            image[..., 2] = 10 * (i + first)
            ids = rng.choice(np.uint8([0, 3, 7, 8, 24, 33, 255]), size)
            name = f"bonn_{i:06d}_000019"
            save(root / "leftImg8bit" / split / "bonn" / f"{name}_leftImg8bit.png", image)
            save(root / annotation / split / "bonn" / f"{name}_{annotation}_labelIds.png", ids)

    return write


@pytest.fixture
def street_root(tmp_path, write_split):
    """A root of 7 fine training images and 3 of validation."""
    write_split(tmp_path, "train", 7)
    write_split(tmp_path, "val", 3)
    return tmp_path
