"""KerasHub's own checks of backbones and segmenters, on the classes of `keras_hrnet.hub`.

Its check of `model.export(format="litert")` is left out. It runs only on PyTorch, and fails there, because litert-torch
0.10 writes wrong values for kernels that are not contiguous, as those of `Convolution` are.
"""

import keras
import numpy as np
import pytest
from keras_hub.src.tests import test_case  # KerasHub's checks have no public name.

from keras_hrnet import hub

pytestmark = [
    pytest.mark.heavy,  # The other tests here check the same, and more, without KerasHub's private class.
    # Both are caused by KerasHub's checks: a model of a list of inputs, and an argument of `keras.tree`.
    pytest.mark.filterwarnings("ignore:(?s).*The structure of `inputs` doesn't match:UserWarning"),
    pytest.mark.filterwarnings("ignore:The `check_types` argument is deprecated:DeprecationWarning"),
]

SIZES = {"stage1_blocks": 1, "stage1_filters": 8, "modules": (1, 1, 1), "blocks": 1}
BACKBONES = {
    "HRNet": {"width": 4, **SIZES},
    "HRFormer": {"width": 4, "num_heads": 2, "window_size": 3, **SIZES},
    "LiteHRNet": {"width": 16, "modules": (1, 1, 1), "blocks": 1},
}
HEADS = {"HRNet": {}, "HRFormer": {"ocr_channels": (8, 4), "ocr_auxiliary_channels": 6}, "LiteHRNet": {}}
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
LABELS = np.random.default_rng(1).integers(0, 5, (2, 32, 32)).astype("uint8")


@pytest.fixture
def checks():
    """KerasHub's test case, whose methods are the checks."""
    case = test_case.TestCase()
    case.setUp()
    yield case
    case.tearDown()


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone(checks, name):
    options = BACKBONES[name]
    checks.run_vision_backbone_test(
        getattr(hub, f"{name}Backbone"),
        {**options, "image_shape": (32, 32, 3)},
        keras.ops.convert_to_tensor(IMAGES),
        {f"P{2 + i}": (2, 8 >> i, 8 >> i, options["width"] << i) for i in range(4)},
        expected_pyramid_output_keys=["P2", "P3", "P4", "P5"],
        expected_pyramid_image_sizes=[(8 >> i, 8 >> i) for i in range(4)],
        # KerasHub quantizes dense layers and embeddings, of which HRNet and Lite-HRNet have none.
        run_quantization_check=False,
    )


@pytest.fixture
def segmenter(request):
    """The class of a family's segmenter, and the arguments of a tiny one."""
    name = request.param
    converter = getattr(hub, f"{name}ImageConverter")(image_size=(32, 32))
    return getattr(hub, f"{name}ImageSegmenter"), {
        "backbone": getattr(hub, f"{name}Backbone")(**BACKBONES[name]),
        "num_classes": 5,
        "preprocessor": getattr(hub, f"{name}ImageSegmenterPreprocessor")(converter),
        **HEADS[name],
    }


@pytest.mark.parametrize("segmenter", BACKBONES, indirect=True)
def test_a_segmenter(checks, segmenter):
    checks.run_task_test(*segmenter, (IMAGES, LABELS), expected_output_shape=(2, 32, 32, 5))


@pytest.mark.parametrize("segmenter", BACKBONES, indirect=True)
def test_a_saved_segmenter(checks, segmenter):
    checks.run_model_saving_test(*segmenter, IMAGES)
