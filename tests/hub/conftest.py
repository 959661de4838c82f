"""A tiny backbone, an image for it, and numbers from what it gives."""

import keras
import numpy as np
import pytest

from keras_hrnet import Variant
from keras_hrnet.checkpoints import naming
from keras_hrnet.hub import HRNetBackbone, HRNetImageSegmenter

SIZES = {"width": 4, "stage1_blocks": 1, "stage1_filters": 8, "modules": (1, 1, 1), "blocks": 1}


def build(**options):
    """Builds a tiny backbone, its normalization moved away from identity so that what it does can be seen."""
    backbone = HRNetBackbone(**SIZES, **options)
    generator = np.random.default_rng(1)
    for weight in backbone.weights:
        if weight.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            weight.assign(generator.uniform(0.5, 1.0, weight.shape))
    return backbone


@pytest.fixture
def tiny():
    """Returns a function that builds a tiny backbone."""
    return build


@pytest.fixture(scope="session")
def backbone():
    """A tiny backbone, for tests that leave it as it is."""
    return build(align_corners=True)


@pytest.fixture(scope="session")
def segmenter(backbone):
    """A segmenter of five classes on it, for tests that leave it as it is. It runs eagerly: XLA compiles for long."""
    segmenter = HRNetImageSegmenter(backbone, 5)
    segmenter.compile(run_eagerly=True)
    return segmenter


@pytest.fixture
def sizes():
    """The widths and depths of the tiny backbone, as `HRNetBackbone` takes them."""
    return SIZES


@pytest.fixture
def variant():
    """The same, as `keras_hrnet.HRNet` takes them."""
    return Variant("Tiny", **SIZES)


@pytest.fixture
def images():
    """uint8 `(2, 33, 49, 3)`."""
    return np.random.default_rng(0).integers(0, 256, (2, 33, 49, 3)).astype("uint8")


@pytest.fixture
def labels():
    """uint8 `(2, 33, 49)`, five classes; the first rows are ignored."""
    labels = np.random.default_rng(0).integers(0, 5, (2, 33, 49)).astype("uint8")
    labels[:, :4] = 255
    return labels


@pytest.fixture
def arrays_of():
    """Returns a function that turns what a model gives into NumPy's arrays."""
    return lambda outputs: keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


@pytest.fixture
def as_published(published_file):
    """Returns a function that writes random weights for a model under the official keys, and returns the file."""

    def write(model):
        generator = np.random.default_rng(2)
        weights = {}
        for weight in model.weights:
            value = generator.uniform(0.5, 1.5, weight.shape).astype("float32")
            weights[naming.name_of(weight.path)] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        return published_file(weights, "weights.safetensors")

    return write
