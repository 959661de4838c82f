"""Pictures of other than three channels, as training and validation data."""

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data import folders
from keras_hrnet.evaluation import read_image

pytestmark = pytest.mark.once


@pytest.fixture
def root(tmp_path):
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 30, 4), dtype="uint8")
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
        Image.fromarray(pixels[..., 3] // 128).save(tmp_path / "masks" / f"{i}.png")
    return tmp_path


def dataset(root, channels, **options):
    return folders(root / "photos", root / "masks", 2, channels=channels, **options)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("cache", [None, "memory"])
def test_pictures_are_read_as_prediction_reads_them(channels, cache, root):
    data = dataset(root, channels, cache=cache)
    assert data.element_spec[0].shape == (1, 20, 30, channels)
    for i, (images, _) in enumerate(data):
        np.testing.assert_array_equal(images[0], read_image(root / "photos" / f"{i}.png", channels))


@pytest.mark.parametrize("scale_step", [0.1, None])
def test_training_keeps_the_colors_and_moves_all_channels_alike(scale_step, root):
    colors = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.2, "brightness_shift": 30}
    options = {"crop_size": (20, 30), "scales": (1.0, 1.0), "scale_step": scale_step, "batch_size": 4, **colors}
    ((images, labels),) = dataset(root, 4, **options)
    np.testing.assert_array_equal(images[..., 3] // 128, labels)


def test_training_scales_rotates_and_blurs_four_channels(root):
    options = {"crop_size": (16, 16), "rotation": 20, "blur": 1.0, "batch_size": 2}
    for images, labels in dataset(root, 4, **options):
        assert images.shape == (2, 16, 16, 4) and labels.shape == (2, 16, 16)


def test_pictures_of_other_channels_are_refused_at_once(root):
    Image.new("RGB", (30, 20)).save(root / "photos" / "3.png")
    with pytest.raises(ValueError, match=r"3.png has 3 channels. Expected 4 channels"):
        dataset(root, 4)
    with pytest.raises(TypeError, match="channels with 'four'"):
        dataset(root, "four")
