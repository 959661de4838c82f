import dataclasses
import json
import pathlib

import numpy as np
import pytest

from keras_hrnet.checkpoints import describe_checkpoint, naming
from keras_hrnet.checkpoints.description import Description, describe
from keras_hrnet.models import VARIANTS, Variant

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("name", VARIANTS)
def test_a_published_network_is_called_by_its_constructor(name):
    row = VARIANTS[name]
    options = {"num_classes": 60, "head": "ocr", "ocr_channels": (512, 256), "align_corners": True}
    assert Description(type(row), row.sizes(), options).call == (
        f'{name}(num_classes=60, head="ocr", ocr_channels=(512, 256), align_corners=True)'
    )
    assert Description(type(row), row.sizes(), options).variant == row
    assert Description(type(row), {**row.sizes(), "width": 20}, options).variant.name == "HRNet"


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({"head": "fcn"}, 'num_classes=5, head="fcn")'),
        (
            {"head": "fcn", "head_kernel_size": 3, "align_corners": True},
            'num_classes=5, head="fcn", head_kernel_size=3)',
        ),
        ({"head": "ocr"}, 'num_classes=5, head="ocr", ocr_channels=(12, 6))'),
        ({"head": "hierarchical"}, 'num_classes=5, head="hierarchical", ocr_channels=(12, 6))'),
        ({"head": "classification"}, 'num_classes=5, head="classification")'),
        ({"head": None}, "head=None)"),
    ],
)
def test_a_network_is_described_as_it_was_built(options, call, tiny, official_weights):
    described = describe({name: value.shape for name, value in official_weights(tiny(**options)).items()})
    assert described.is_whole
    assert described.call == (
        'HRNet(Variant("Own", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1), ' + call
    )


@pytest.mark.parametrize(
    ("case", "call"),
    [
        ("seg_w18_small_v2", 'HRNetW18SmallV2(num_classes=19, head="fcn")'),
        ("cls_w18", 'HRNetW18(num_classes=1000, head="classification")'),
        ("ocr_w48", 'HRNetW48(num_classes=19, head="ocr", ocr_channels=(512, 256))'),
    ],
)
def test_the_published_codes_weights_are_described(case, call):
    shapes = json.loads((GOLDEN / f"{case}.json").read_text())["keys"]
    assert describe(shapes).call == call


def test_a_call_can_be_pasted(tiny, official_weights):
    call = describe({name: value.shape for name, value in official_weights(tiny()).items()}).call
    variant, options = eval(call, {"HRNet": lambda variant, **options: (variant, options), "Variant": Variant})
    assert dataclasses.replace(variant, name="Tiny") == Variant("Tiny", 4, 1, 8, (1, 1, 1), 1)
    assert options == {"num_classes": 5, "head": "fcn"}


def test_a_file_is_described_with_the_convention_of_its_format(tiny, official_weights, published_file):
    weights = official_weights(tiny())
    weights = {naming.MMSEGMENTATION.key_of(name): x for name, x in weights.items() if name != "last_layer.0.bias"}
    described = describe_checkpoint(published_file(weights))
    assert described.options == {"num_classes": 5, "head": "fcn", "align_corners": False}


def test_a_file_that_is_not_whole_is_refused(published_file):
    path = published_file({"layer1.0.conv1.weight": np.ones((8, 64, 1, 1), "float32")})
    with pytest.raises(
        ValueError, match=r"seems to be for `HRNet\(Variant\(\"Own\", width=0, .* 0 where weights are missing"
    ):
        describe_checkpoint(path)
