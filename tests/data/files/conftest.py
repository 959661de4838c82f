"""What the tests of files share: single pictures, and a small Cityscapes root."""

import os

import numpy as np
import pytest
from PIL import Image

CITYSCAPES_FOLDERS = {"fine": "gtFine", "coarse": "gtCoarse"}


@pytest.fixture
def write_image():
    """Returns a function that writes an array as an image, in Pillow's `mode` where it is given."""

    def write(path, array, mode=None, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(array)
        (image.convert(mode) if mode else image).save(path, **options)
        return path

    return write


@pytest.fixture
def noise(write_image):
    """Returns a function that writes an RGB image of noise, as PNG or JPEG by the name of the file."""

    def write(path, size=(30, 40), **options):
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        return write_image(path, pixels, **options)

    return write


@pytest.fixture
def write_pair(write_image, noise):
    """Returns a function that writes an image of Cityscapes and its label image; either may be left out."""

    def write(root, split, name, size=(6, 8), annotation="fine", image=True, label=True):
        city, folder = name.split("_")[0], CITYSCAPES_FOLDERS[annotation]
        if image:
            noise(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", size)
        if label:
            path = root / folder / split / city / f"{name}_{folder}_labelIds.png"
            write_image(path, np.full(size, 7, np.uint8))

    return write


@pytest.fixture
def root(tmp_path, write_pair):
    """A Cityscapes root with three images to train on and one to validate on."""
    root = tmp_path / "cityscapes"
    for name in ("ulm_000001_000019", "bonn_000002_000019", "bonn_000001_000019"):
        write_pair(root, "train", name)
    write_pair(root, "val", "aachen_000000_000019")
    return root


@pytest.fixture
def forbidden(monkeypatch):
    """Returns a function that makes a folder unreadable, for whoever runs the tests."""
    folders = set()

    def guarded(function):
        def read(folder):
            if folder in folders:
                raise PermissionError(13, "Permission denied", str(folder))
            return function(folder)

        return read

    monkeypatch.setattr("os.listdir", guarded(os.listdir))
    monkeypatch.setattr("os.scandir", guarded(os.scandir))
    return folders.add
