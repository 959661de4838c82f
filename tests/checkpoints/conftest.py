"""What the tests of weight files share: small networks, and random weights under the official names."""

import functools

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.checkpoints import naming

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.fixture(scope="session")
def tiny():
    """Returns a function that builds a small network, the same one for the same arguments."""
    models = {}

    def build(num_classes=5, head="fcn", **options):
        key = f"{num_classes}, {head}, {options}"
        if key not in models:
            models[key] = keras_hrnet.HRNet(TINY, num_classes, head=head, ocr_channels=(12, 6), **options)
        return models[key]

    return build


@pytest.fixture
def official_weights():
    """Returns a function that draws weights for a network, by official name and in PyTorch's layout."""

    def draw(model):
        return dict(_draw(tuple((naming.name_of(weight.path), tuple(weight.shape)) for weight in model.weights)))

    return draw


@functools.lru_cache(maxsize=8)
def _draw(shapes):
    generator = np.random.default_rng(0)
    weights = {}
    for name, shape in shapes:
        value = generator.uniform(-1.5, 1.5, shape).astype("float32")
        weights[name] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
    return weights


@pytest.fixture
def assert_holds():
    """Returns a function that compares every weight of a network, or of its backbone, with values by official name."""

    def compare(model, weights, backbone_only=False):
        for weight in model.weights:
            name = naming.name_of(weight.path)
            if backbone_only and not naming.is_backbone(name):
                continue
            value = weights[name].transpose(2, 3, 1, 0) if weights[name].ndim == 4 else weights[name].T
            np.testing.assert_array_equal(weight.numpy(), value, err_msg=weight.path)

    return compare
