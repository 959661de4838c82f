"""KerasHub's own checks of backbones and segmenters, on the classes of `keras_hrnet.hub`.

Its check of `model.export(format="litert")` is left out. On TensorFlow and JAX it does nothing; on PyTorch it fails,
because litert-torch 0.10 writes wrong values for kernels that are not contiguous, as those of `Convolution` are.
"""

import keras
import numpy as np
import pytest

from keras_hrnet import hub

pytest.importorskip("grain", reason="KerasHub's checks need grain, which it does not install: pip install grain")
from keras_hub.src.tests.test_case import TestCase  # KerasHub's checks have no public name.

pytestmark = [
    pytest.mark.heavy,  # The other tests here check the same, and more, without KerasHub's private class.
    # What KerasHub's checks do themselves: a model of a list of inputs, and an argument of `keras.tree`.
    pytest.mark.filterwarnings("ignore:(?s).*The structure of `inputs` doesn't match:UserWarning"),
    pytest.mark.filterwarnings("ignore:The `check_types` argument is deprecated:DeprecationWarning"),
]

SIZES = {"stage1_blocks": 1, "stage1_filters": 8, "modules": (1, 1, 1), "blocks": 1}
BACKBONES = {
    "HRNet": {"width": 4, **SIZES},
    "HRFormer": {"width": 4, "num_heads": 2, "window_size": 3, **SIZES},
    "LiteHRNet": {"width": 16, "modules": (1, 1, 1), "blocks": 1},
}
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
LABELS = np.random.default_rng(1).integers(0, 5, (2, 32, 32)).astype("uint8")


class TestBackbones(TestCase):
    """KerasHub's test case is one of `unittest`, whose methods take no parameters."""

    def check(self, name):
        options = BACKBONES[name]
        width = options["width"]
        # What KerasHub quantizes are dense layers and embeddings, of which these networks have none to offer.
        self.run_vision_backbone_test(
            getattr(hub, f"{name}Backbone"),
            {**options, "image_shape": (32, 32, 3)},
            keras.ops.convert_to_tensor(IMAGES),
            {f"P{2 + i}": (2, 8 >> i, 8 >> i, width << i) for i in range(4)},
            expected_pyramid_output_keys=["P2", "P3", "P4", "P5"],
            expected_pyramid_image_sizes=[(8 >> i, 8 >> i) for i in range(4)],
            run_quantization_check=False,
        )

    def test_hrnet(self):
        self.check("HRNet")

    def test_hrformer(self):
        self.check("HRFormer")

    def test_lite_hrnet(self):
        self.check("LiteHRNet")


class TestSegmenters(TestCase):
    def parts(self, name):
        preprocessor = getattr(hub, f"{name}ImageSegmenterPreprocessor")(
            getattr(hub, f"{name}ImageConverter")(image_size=(32, 32))
        )
        backbone = getattr(hub, f"{name}Backbone")(**BACKBONES[name])
        options = {"ocr_channels": (8, 4), "ocr_auxiliary_channels": 6} if name == "HRFormer" else {}
        return {"backbone": backbone, "num_classes": 5, "preprocessor": preprocessor, **options}

    def check(self, name):
        kind = getattr(hub, f"{name}ImageSegmenter")
        self.run_task_test(kind, self.parts(name), (IMAGES, LABELS), expected_output_shape=(2, 32, 32, 5))

    def check_saved(self, name):
        kind = getattr(hub, f"{name}ImageSegmenter")
        self.run_model_saving_test(kind, self.parts(name), IMAGES)

    def test_hrnet(self):
        self.check("HRNet")

    def test_hrformer(self):
        self.check("HRFormer")

    def test_lite_hrnet(self):
        self.check("LiteHRNet")

    def test_hrnet_saved(self):
        self.check_saved("HRNet")

    def test_hrformer_saved(self):
        self.check_saved("HRFormer")

    def test_lite_hrnet_saved(self):
        self.check_saved("LiteHRNet")
