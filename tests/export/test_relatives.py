"""HRFormer and Lite-HRNet as files: each precision and format, and what delegates leave out."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.export import export_onnx, export_saved_model, export_tflite

pytestmark = [
    pytest.mark.converts,
    pytest.mark.heavy,
]  # Each kind of file is tested with HRNet, and each layer in one kind.

SIZE = (33, 50)
SIZES = {"stage1_blocks": 1, "stage1_filters": 8, "modules": (1, 1, 1), "blocks": 1, "window_size": 3}
NETWORKS = {
    "HRFormer": (keras_hrnet.HRFormerVariant("Tiny", 8, num_heads=2, **SIZES), {"head": "fcn"}),
    "LiteHRNet": (keras_hrnet.LiteVariant("Tiny", 16, (1, 1, 1), 1), {"head": "iterative"}),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    keras.utils.set_random_seed(0)
    variant, options = NETWORKS[request.param]
    return keras_hrnet.HRNet(variant, 4, data_format="channels_last", align_corners=False, **options)


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(1).integers(0, 256, (6, *SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8", "int16x8", "mixed"])
def test_a_file_of_each_precision_answers_as_keras(precision, network, photos, tmp_path):
    report = export_tflite(
        network, tmp_path / "tiny.tflite", image_size=SIZE, precision=precision, representative_data=photos
    )
    # The export itself refuses a file that is further off than its precision may be.
    assert report.label_agreement > 0.8
    assert not any(name.startswith("Flex") for name in report.operators)


def test_a_saved_model_and_an_onnx_file_take_images_of_any_size(network, photos, tmp_path):
    for report in (
        export_saved_model(network, tmp_path / "served"),
        export_onnx(network, tmp_path / "tiny.onnx"),
        export_onnx(network, tmp_path / "fixed.onnx", image_size=SIZE, batch_size=1),
    ):
        assert report.label_agreement > 0.99
        assert report.largest_difference < 1e-3
