import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.models import VARIANTS, cost

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


@pytest.mark.parametrize("head", ["fcn", "classification", None])
def test_the_parameters_counted_are_those_of_the_network(head):
    for variant in (Variant("Odd", 5, 2, 7, (2, 1, 3), 3), VARIANTS["HRNetW18Small"]):
        model = keras_hrnet.HRNet(variant, 7, head=head)
        built = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        assert cost(variant, 7, head=head).parameters == built
