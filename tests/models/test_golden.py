"""The networks against what the published PyTorch code computes, from raw pixels and through `load_checkpoint`."""

import keras
import numpy as np
import pytest

import keras_hrnet

CASES = {
    "seg_w18_small_v2": lambda: keras_hrnet.HRNetW18SmallV2(output_stride=4),
    "seg_w48": lambda: keras_hrnet.HRNetW48(output_stride=4),
    "cls_w18": lambda: keras_hrnet.HRNetW18(1000, head="classification"),
}


@pytest.mark.parametrize("name", CASES)
def test_logits_equal_the_published_codes(name, golden_case, published_file):
    weights, arrays = golden_case(name)
    model = CASES[name]()
    keras_hrnet.load_checkpoint(model, published_file(weights))
    sizes = [key.removeprefix("image_") for key in arrays if key.startswith("image_")]
    assert sizes
    for size in sizes:
        expected = arrays[f"logits_{size}"]
        actual = keras.ops.convert_to_numpy(model(arrays[f"image_{size}"]))
        # Measured on TensorFlow, JAX and PyTorch: at most 1.2e-6 of the largest value.
        np.testing.assert_allclose(actual, expected, atol=1.2e-5 * abs(expected).max())
