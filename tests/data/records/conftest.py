"""Small sets of pairs, as files."""

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data.files.cityscapes import find_pairs


def write_pair(root, number, size=(24, 40), split="train"):
    rng = np.random.default_rng(number)
    name = f"bonn_{number:06d}_000019"
    files = {
        root / "leftImg8bit" / split / "bonn" / f"{name}_leftImg8bit.png": rng.integers(0, 256, (*size, 3), "uint8"),
        root / "gtFine" / split / "bonn" / f"{name}_gtFine_labelIds.png": rng.integers(0, 34, size, "uint8"),
    }
    for path, pixels in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path):
    """A Cityscapes root with seven training pairs; each takes about 4000 bytes, and 5000 in the plan of a shard."""
    for number in range(7):
        write_pair(tmp_path / "city", number, size=(24, 40 + number))
    return tmp_path / "city"


@pytest.fixture
def pairs(root):
    return find_pairs(root, "train")


@pytest.fixture
def contents():
    """Returns a function that tells the bytes of each file in a folder by its name."""

    def read(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else None

    return read
