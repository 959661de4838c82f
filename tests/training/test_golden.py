"""Training against the published code: the losses of eight steps, and what the weights are after them."""

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.checkpoints.naming import OPENSEG
from keras_hrnet.checkpoints.naming.official import name_of
from keras_hrnet.data import CLASS_WEIGHTS
from keras_hrnet.training import SGD, AdamW, CrossEntropy, OhemCrossEntropy, Poly

LOSSES = {
    "train_seg_w18_small_v2": lambda: CrossEntropy(CLASS_WEIGHTS),
    "train_ohem_seg_w18_small_v2": lambda: OhemCrossEntropy(0.9, 1000, CLASS_WEIGHTS),
}
NUM_STEPS = 8
MOMENTUM = 0.9
# Of batch, height and width, in the maps whose statistics the case has.
NUM_PIXELS = {"stage4.1.fuse_layers.3.2.0.1": 2 * 2 * 4, "last_layer.1": 2 * 16 * 32}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.heavy if "ohem" in name else pytest.mark.slow) for name in LOSSES]
)
def test_eight_steps_are_those_of_the_published_code(name, golden_case, published_file):
    first_weights, arrays = golden_case(name)
    model = keras_hrnet.HRNetW18SmallV2(input_shape=(64, 128, 3))
    keras_hrnet.load_checkpoint(model, published_file(first_weights))
    model.compile(SGD(Poly(0.0002, 100), momentum=MOMENTUM, weight_decay=2.0), LOSSES[name]())
    losses = [float(model.train_on_batch(x, y)) for x, y in zip(arrays["images"], arrays["labels"], strict=True)]

    # A network with batch statistics amplifies rounding from step to step. The published code itself, run on another
    # machine, is 1.6e-7 off at the first step, 1.7e-4 at most, 1.6e-6 in the weights and 4e-3 in the statistics.
    assert losses[0] == pytest.approx(arrays["losses"][0], rel=5e-6)  # measured 1.9e-6
    np.testing.assert_allclose(losses, arrays["losses"], rtol=1e-3)  # measured 3.3e-4
    ours = {name_of(variable.path): keras.ops.convert_to_numpy(variable) for variable in model.variables}
    compared = {key.removeprefix("after/"): value for key, value in arrays.items() if key.startswith("after/")}
    assert len(compared) == 6
    for key, expected in compared.items():
        # Measured 2.7e-6 and 6.8e-3.
        bound = 1e-5 if key.startswith("last_layer.3.") else 2e-2
        actual = as_published(key, ours[key], first_weights[key])
        assert np.abs(actual - expected).max() <= bound * np.abs(expected).max(), key


# TensorFlow takes more than a minute to trace the step, and JAX three to compile it. tests/training/test_adamw.py
# compares the optimizer with PyTorch's on each backend.
@pytest.mark.slow if keras.config.backend() == "torch" else pytest.mark.heavy
def test_six_steps_of_adamw_are_those_of_the_published_code(golden_case, published_file):
    first_weights, arrays = golden_case("train_hrformer_small_ocr_adamw")
    model = keras_hrnet.HRFormerSmall(input_shape=(64, 96, 3), drop_path=0.0, ocr_dropout=0.0)
    keras_hrnet.load_checkpoint(model, published_file(first_weights))
    model.compile(AdamW(Poly(1e-4, 100), weight_decay=0.5), CrossEntropy(CLASS_WEIGHTS))
    losses = [float(model.train_on_batch(x, y)) for x, y in zip(arrays["images"], arrays["labels"], strict=True)]

    # Adam's first steps are the sign of a gradient: the published code itself, in other memory or in float64, is
    # 3e-7 off at step 0, 2e-5 at step 1 and 5e-3 after it.
    assert losses[0] == pytest.approx(arrays["losses"][0], rel=3e-6)
    assert losses[1] == pytest.approx(arrays["losses"][1], rel=2e-4)
    np.testing.assert_allclose(losses, arrays["losses"], rtol=1e-2)
    ours = {name_of(variable.path): keras.ops.convert_to_numpy(variable) for variable in model.variables}
    for key, bound in (("relative_position_bias_table", 2e-3), ("cls_head.weight", 6e-3), ("cls_head.bias", 1e-4)):
        names = [name for name in arrays if name.endswith(key)]
        assert names
        for name in names:
            value, expected = ours[name.removeprefix("after/").removeprefix("backbone.")], arrays[name]
            value = np.transpose(value, (3, 2, 0, 1)) if value.ndim == 4 else value.T
            assert np.abs(value - expected).max() <= bound * np.abs(expected).max(), name
    for weight in model.weights:
        key = OPENSEG.key_of(name_of(weight.path))
        first = first_weights[key].reshape(-1)
        assert np.any(np.sort(keras.ops.convert_to_numpy(weight).reshape(-1)) != np.sort(first)), weight.path


def as_published(key, value, first):
    if value.ndim == 4:
        return np.transpose(value, (3, 2, 0, 1))
    module, _, kind = key.rpartition(".")
    if kind != "running_var":
        return value
    # PyTorch averages n / (n - 1) times the variance of the batch that Keras averages.
    count = NUM_PIXELS[module]
    kept = first * MOMENTUM**NUM_STEPS
    return kept + (value - kept) * count / (count - 1)
