import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.models import VARIANTS, cost

pytestmark = pytest.mark.once

# Multiplications, in units of 1e9: classification of 224x224 and segmentation of 1024x2048, counted on the published
# code; divided by 2 ** 30 they are the "GFLOPs" of both repositories' READMEs (W48: 16.1 and 696.2).
BILLIONS = {
    "HRNetW18Small": (1.602, 33.39),
    "HRNetW18SmallV2": (2.596, 76.86),
    "HRNetW18": (4.284, 147.40),
    "HRNetW30": (8.106, 323.58),
    "HRNetW32": (8.921, 361.23),
    "HRNetW40": (12.692, 535.45),
    "HRNetW44": (14.883, 636.75),
    "HRNetW48": (17.278, 747.51),
    "HRNetW64": (28.895, 1285.18),
}


@pytest.mark.parametrize("name", BILLIONS)
def test_a_variant_needs_as_many_multiplications_as_published(name):
    classification, segmentation = BILLIONS[name]
    variant = VARIANTS[name]
    counted = cost(variant, 1000, head="classification", image_size=(224, 224)).multiplications
    assert round(counted / 1e9, 3) == classification
    assert round(cost(variant, image_size=(1024, 2048)).multiplications / 1e9, 2) == segmentation


# Units of 1e9 for 1024x2048, head "ocr", counted on the published code (W48: 1208.7 "GFLOPs" in its README).
OCR_BILLIONS = {
    "HRNetW18Small": 293.8,
    "HRNetW18SmallV2": 355.4,
    "HRNetW18": 426.0,
    "HRNetW30": 710.9,
    "HRNetW32": 766.6,
    "HRNetW40": 1013.3,
    "HRNetW44": 1150.9,
    "HRNetW48": 1297.9,
    "HRNetW64": 1980.5,
}


@pytest.mark.parametrize("name", OCR_BILLIONS)
def test_object_context_needs_as_many_multiplications_as_published(name):
    counted = cost(VARIANTS[name], head="ocr", image_size=(1024, 2048)).multiplications
    assert round(counted / 1e9, 1) == OCR_BILLIONS[name]


@pytest.mark.parametrize(("channels", "billions"), [((512, 256), 88.9), ((256, 128), 47.1), ((128, 64), 31.4)])
def test_narrower_object_context_costs_less(channels, billions):
    counted = cost(VARIANTS["HRNetW18SmallV2"], head="ocr", ocr_channels=channels).multiplications
    assert round(counted / 1e9, 1) == billions


def test_every_scale_but_the_largest_asks_for_attention():
    options = {"head": "hierarchical", "image_size": (1024, 2048)}
    single = cost(VARIANTS["HRNetW48"], scales=(1.0,), **options).multiplications
    both = cost(VARIANTS["HRNetW48"], scales=(1.0, 2.0), **options).multiplications
    # One pass with attention: counted on NVIDIA's code. The pass at twice the size costs four times OCR's.
    assert round(single / 1e9, 1) == OCR_BILLIONS["HRNetW48"]
    assert round((both - 4 * single) / 1e9, 0) == 1530


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"head": "fcn"},
        {"head": "fcn", "head_kernel_size": 3},
        {"head": "ocr", "ocr_channels": (10, 6)},
        {"head": "hierarchical", "ocr_channels": (10, 6), "head_kernel_size": 3},
        {"head": "isa", "isa_channels": (10, 6)},
        {"head": "classification"},
        {"head": None},
    ],
)
def test_the_parameters_counted_are_those_of_the_network(options):
    variant = Variant("Odd", 5, 2, 7, (2, 1, 1), 2)
    model = keras_hrnet.HRNet(variant, 7, **options)
    built = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert cost(variant, 7, **options).parameters == built
