"""The networks against what the published PyTorch code computes, from raw pixels and through `load_checkpoint`."""

import keras
import numpy as np
import pytest

import keras_hrnet

CASES = {
    "seg_w18_small_v2": lambda: keras_hrnet.HRNetW18SmallV2(output_stride=4),
    "seg_w48": lambda: keras_hrnet.HRNetW48(output_stride=4),
    "cls_w18": lambda: keras_hrnet.HRNetW18(1000, head="classification"),
    "ocr_w48": lambda: keras_hrnet.HRNetW48(head="ocr", align_corners=True, output_stride=4),
    "hrformer_small_ocr": keras_hrnet.HRFormerSmall,
    "hrformer_tiny_cls": lambda: keras_hrnet.HRFormerTiny(1000, head="classification"),
    "lite_hrnet_18": lambda: keras_hrnet.LiteHRNet18(output_stride=4),
    "naive_lite_hrnet_18": lambda: keras_hrnet.LiteHRNetNaive18(output_stride=4),
}
# What the published code writes before the names, and beside the weights.
FILES = {
    "seg_w18_small_v2": {"prefix": "model.", "extra": {"loss.criterion.weight": [1.0] * 19}},
    "seg_w48": {"name": "seg_w48.safetensors"},
    "cls_w18": {"name": "checkpoint.pth.tar", "prefix": "module."},
    "ocr_w48": {"name": "checkpoint.pth.tar", "prefix": "model.", "extra": {"loss.criterion.weight": [1.0] * 19}},
    "hrformer_small_ocr": {"name": "checkpoint.pth.tar", "prefix": "module."},
    "hrformer_tiny_cls": {},
    "lite_hrnet_18": {"name": "checkpoint.pth.tar"},
    "naive_lite_hrnet_18": {},
}
# How far apart the pixels are of which a case keeps the logits, in both directions.
STEPS = {"hrformer_small_ocr": 4}


def assert_equal_to_the_published(actual, expected):
    # Measured on TensorFlow, JAX and PyTorch: at most 2.4e-6 of the largest value.
    actual = keras.ops.convert_to_numpy(actual)
    np.testing.assert_allclose(actual, expected, atol=1.2e-5 * abs(expected).max())


# "ocr_w48" has the backbone of "seg_w48". TensorFlow and JAX take long to build and to compile networks, and three of
# the cases have the layers of others.
MARKS = {"seg_w18_small_v2": (), "seg_w48": pytest.mark.heavy}
if keras.config.backend() != "torch":
    MARKS |= dict.fromkeys(("ocr_w48", "hrformer_tiny_cls", "naive_lite_hrnet_18"), pytest.mark.heavy)
# JAX compiles every operation anew for images of another size.
NUM_SIZES = 1 if keras.config.backend() == "jax" else 2


@pytest.mark.parametrize("name", [pytest.param(x, marks=MARKS.get(x, pytest.mark.slow)) for x in CASES])
def test_logits_equal_the_published_codes(name, golden_case, published_file):
    weights, arrays = golden_case(name)
    model = CASES[name]()
    keras_hrnet.load_checkpoint(model, published_file(weights, **FILES[name]))
    sizes = [key.removeprefix("image_") for key in arrays if key.startswith("image_")]
    assert sizes
    for size in sizes[-NUM_SIZES:]:
        image, expected = arrays[f"image_{size}"], arrays[f"logits_{size}"]
        if f"auxiliary_{size}" not in arrays:
            assert_equal_to_the_published(model(image), expected)
            continue
        with model.in_step():
            logits, auxiliary = (x[:, :: STEPS.get(name, 1), :: STEPS.get(name, 1)] for x in model(image))
        assert_equal_to_the_published(logits, expected)
        assert_equal_to_the_published(auxiliary, arrays[f"auxiliary_{size}"])


# TensorFlow traces, and JAX compiles, each set of scales for itself.
SETS = [3] if keras.config.backend() == "torch" else [1, pytest.param(3, marks=pytest.mark.heavy)]


@pytest.mark.slow
@pytest.mark.parametrize("num_sets", SETS)
def test_hierarchical_logits_equal_the_published_codes_at_every_set_of_scales(num_sets, golden_case, published_file):
    weights, arrays = golden_case("hmsa_w48")
    model = keras_hrnet.HRNetW48(head="hierarchical")
    keras_hrnet.load_checkpoint(model, published_file(weights, "hierarchical.pth.tar", "module."))
    image = arrays["image_64x128"]
    for scales, name in (
        ((0.5, 1.0), "two_scale"),
        ((0.5, 1.0, 2.0), "nscale_0.5_1.0_2.0"),
        ((1.0,), "nscale_1.0"),
    )[:num_sets]:
        logits = keras_hrnet.with_scales(model, scales)(image)
        assert_equal_to_the_published(logits, arrays[f"{name}_64x128"])
