"""Lite-HRNet: its size, its heads, any image, training, and what is made of it afterwards."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import LiteVariant
from keras_hrnet.models import VARIANTS, cost

TINY = LiteVariant("TinyLite", 16, (1, 1, 1), 1)
NAIVE = LiteVariant("TinyNaive", 16, (1, 1, 1), 1, "shuffle")


def build(variant=TINY, head="iterative", **options):
    return keras_hrnet.HRNet(variant, 5, head=head, **{"data_format": "channels_last", **options})


tiny = functools.cache(build)  # For what does not train it.


def images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype("uint8")


def array(x):
    return keras.ops.convert_to_numpy(x)


# Counted on the published code, with a last 1x1 convolution; published: 1.1, 1.8, 0.7 and 1.3 million.
PARAMETERS = {
    "LiteHRNet18": (19, 1_130_851),
    "LiteHRNet30": (11, 1_763_471),
    "LiteHRNetNaive18": (19, 760_427),
    "LiteHRNetWiderNaive18": (19, 1_318_707),
}


@pytest.mark.once
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_network_has_as_many_parameters_as_published(name):
    num_classes, parameters = PARAMETERS[name]
    assert cost(VARIANTS[name], num_classes, head="iterative").parameters == parameters


# README.md of the published code, in millions for 256x192: with normalizations, activations and means, which are not
# counted here.
@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "counted", "published"),
    [
        ("LiteHRNet18", 198.6, 205.2),
        ("LiteHRNet30", 309.5, 319.2),
        ("LiteHRNetNaive18", 185.5, 194.8),
        ("LiteHRNetWiderNaive18", 302.3, 311.1),
    ],
)
def test_a_network_needs_about_as_many_multiplications_as_published(name, counted, published):
    millions = cost(VARIANTS[name], 17, head="iterative", image_size=(256, 192)).multiplications / 1e6
    assert round(millions, 1) == counted
    assert 0.95 * published < millions < published


@pytest.mark.once
@pytest.mark.parametrize(
    ("variant", "head"), [(TINY, "iterative"), (NAIVE, "fcn"), (dataclasses.replace(TINY, width=32), None)], ids=str
)
def test_what_is_counted_is_what_is_built(variant, head):
    model = tiny(variant, head=head)
    assert cost(variant, 5, head=head).parameters == sum(int(np.prod(x.shape)) for x in model.trainable_weights)


@pytest.mark.once
def test_the_head_of_a_published_network_is_the_published_one():
    import inspect

    assert inspect.signature(keras_hrnet.LiteHRNet18).parameters["head"].default == "iterative"


@pytest.mark.compiles
@pytest.mark.parametrize("variant", [TINY, NAIVE], ids=lambda row: row.name)
@pytest.mark.parametrize("size", [(17, 17), (33, 50)])
def test_any_size_is_answered_in_that_size(variant, size):
    assert tiny(variant)(images(1, *size)).shape == (1, *size, 5)
    assert tiny(variant, output_stride=4)(images(1, *size)).shape == (1, *(-(-x // 4) for x in size), 5)


def test_without_a_head_there_are_four_maps():
    maps = tiny(head=None)(images(1, 33, 50))
    assert {name: tuple(x.shape) for name, x in maps.items()} == {
        "P2": (1, 9, 13, 16),
        "P3": (1, 5, 7, 32),
        "P4": (1, 3, 4, 64),
        "P5": (1, 2, 2, 128),
    }


def test_channels_first_answers_the_same():
    last, first = tiny(), build(data_format="channels_first")
    first.set_weights(last.get_weights())
    image = images(1, 33, 50)
    expected, actual = array(last(image)), array(first(np.moveaxis(image, -1, 1)))
    np.testing.assert_allclose(np.moveaxis(actual, 1, -1), expected, atol=1e-6 * abs(expected).max())


@pytest.mark.once
def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="Expected at least 17"):
        tiny()(images(1, 16, 40))


@pytest.mark.once
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 7}, r"width=7\. Expected an even number.*Pass width=8"),
        ({"modules": (1, 1)}, r"modules=\(1, 1\)\. Expected three numbers"),
        ({"blocks": 0}, "at least 1"),
        ({"block": "basic"}, "Expected one of"),
    ],
)
def test_a_row_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **fields)


SLOW_TO_COMPILE = [pytest.mark.slow, pytest.mark.compiles]


@functools.cache
def in_training(variant=TINY, steps=3, **options):
    """Trains a network for some steps; its losses, itself, and its weights before."""
    keras.utils.set_random_seed(0)
    model = build(variant, output_stride=4, **options)
    before = [array(x) for x in model.weights]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # TensorFlow takes long to trace a step; tests/models/test_hrnet.py traces that of a whole network.
    eagerly = keras.config.backend() == "tensorflow"
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, run_eagerly=eagerly)
    labels = np.random.default_rng(1).integers(0, 5, (2, 8, 12))
    losses = [model.train_on_batch(images(2, 32, 48, seed=i), labels) for i in range(steps)]
    return losses, model, before


@pytest.mark.parametrize("variant", [TINY, pytest.param(NAIVE, marks=SLOW_TO_COMPILE)], ids=lambda row: row.name)
def test_every_weight_moves(variant):
    # In the first step, a scale before a depthwise convolution has no gradient: the next normalization undoes it.
    _, model, before = in_training(variant)
    for weight, old in zip(model.weights, before, strict=True):
        assert np.any(array(weight) != old), weight.path


@pytest.mark.slow
@pytest.mark.compiles
def test_rematerialization_changes_nothing():
    (plain, model, _), (remat, again, _) = in_training(), in_training(remat=True)
    np.testing.assert_allclose(remat, plain, rtol=1e-4)  # Measured 1e-7 at the first step.
    for one, other in zip(model.non_trainable_variables, again.non_trainable_variables, strict=True):
        if "moving" in one.path:
            np.testing.assert_allclose(array(other), array(one), rtol=1e-2, atol=1e-3)


@pytest.mark.compiles
def test_mixed_precision_gives_logits_in_float32():
    model = tiny(dtype="mixed_bfloat16")
    logits = model(images(1, 32, 48))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert np.all(np.isfinite(array(logits)))


@pytest.mark.heavy
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_near_float32(policy):
    half, image = build(dtype=policy), images(1, 32, 48)
    half.set_weights(tiny().get_weights())
    expected, actual = array(tiny()(image)), array(half(image))
    assert np.abs(actual - expected).max() < 0.1 * np.abs(expected).max()
    losses, _, _ = in_training(dtype=policy)
    assert np.isfinite(losses).all()


@pytest.mark.compiles
def test_tiles_give_labels_of_the_whole_image():
    labels = keras_hrnet.predict(tiny(), images(1, 96, 160)[0], tile=(64, 96), overlap=32)
    assert labels.shape == (96, 160)
    assert labels.max() < 5


@pytest.mark.parametrize("variant", [TINY, pytest.param(NAIVE, marks=SLOW_TO_COMPILE)], ids=lambda row: row.name)
def test_a_saved_network_answers_the_same(variant, tmp_path):
    model, image = tiny(variant), images(1, 33, 50)
    model.save(tmp_path / "lite.keras")
    loaded = keras.models.load_model(tmp_path / "lite.keras")
    np.testing.assert_array_equal(array(loaded(image)), array(model(image)))
    assert loaded.classes == model.classes


@pytest.mark.parametrize("variant", [TINY, pytest.param(NAIVE, marks=SLOW_TO_COMPILE)], ids=lambda row: row.name)
def test_an_optimized_network_has_no_normalization_and_answers_the_same(variant):
    model = build(variant)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "beta", "mean", "variance")):
            weight.assign(np.random.default_rng(0).uniform(0.5, 1.5, weight.shape))
    fast, image = keras_hrnet.optimize_for_inference(model), images(1, 33, 50)
    assert not [x.path for x in fast.weights if "moving" in x.path]
    expected = array(model(image))
    np.testing.assert_allclose(array(fast(image)), expected, atol=2e-5 * abs(expected).max())  # Measured 1e-6.
