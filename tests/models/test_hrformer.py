"""HRFormer: its numbers, its arguments, and what every network of the package can do."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.checkpoints import load_checkpoint
from keras_hrnet.checkpoints.description import describe_checkpoint
from keras_hrnet.checkpoints.naming import name_of
from keras_hrnet.models import VARIANTS, cost

TINY = keras_hrnet.HRFormerVariant(
    "Tiny", 4, num_heads=2, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1, window_size=3
)
OCR = {"head": "ocr", "ocr_channels": (12, 6), "ocr_auxiliary_channels": 10}


def build(num_classes=5, **options):
    return keras_hrnet.HRNet(TINY, num_classes, **{"data_format": "channels_last", **OCR, **options})


def randomize(model):
    generator = np.random.default_rng(0)
    for weight in model.weights:
        low, high = (0.5, 1.5) if weight.path.endswith(("gamma", "moving_variance")) else (-0.3, 0.3)
        weight.assign(generator.uniform(low, high, weight.shape))
    return model


def images(height, width):
    return np.random.default_rng(1).integers(0, 256, (2, height, width, 3)).astype("uint8")


# Of the published code: without the buffer `relative_position_index`.
PARAMETERS = {
    ("HRFormerTiny", 1000, "classification"): 8_035_820,
    ("HRFormerSmall", 1000, "classification"): 13_544_882,
    ("HRFormerBase", 1000, "classification"): 50_320_098,
    ("HRFormerSmall", 19, "ocr"): 13_523_856,
    ("HRFormerSmall", 19, None): 7_891_050,
    ("HRFormerBase", 19, "ocr"): 56_032_512,
    ("HRFormerBase", 19, None): 44_040_666,
}


@pytest.mark.once
@pytest.mark.parametrize("network", PARAMETERS, ids=str)
def test_a_network_counts_as_many_parameters_as_the_published_code(network):
    name, num_classes, head = network
    assert cost(VARIANTS[name], num_classes, head=head).parameters == PARAMETERS[network]


@pytest.mark.once
def test_wider_windows_have_larger_tables():
    variant = dataclasses.replace(VARIANTS["HRFormerBase"], window_size=15)
    assert cost(variant, head=None).parameters == 44_204_634
    assert cost(variant, 59, head="ocr").parameters == 56_237_520


@pytest.mark.once
@pytest.mark.parametrize("options", [OCR, {"head": "classification"}], ids=lambda x: x["head"])
def test_a_built_network_has_the_parameters_that_are_counted(options):
    model = keras_hrnet.HRNet(TINY, 5, **options)
    built = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert built == cost(TINY, 5, **options).parameters


@pytest.mark.once
def test_the_constructors_have_the_published_defaults():
    signature = inspect.signature(keras_hrnet.HRFormerSmall)
    expected = {
        "num_classes": 19, "head": "ocr", "window_size": 7, "drop_path": None, "head_kernel_size": 3,
        "ocr_auxiliary_channels": 512, "ocr_bias": True,
    }  # fmt: skip
    assert {name: signature.parameters[name].default for name in expected} == expected
    assert "window_size: height and width of the windows" in keras_hrnet.HRFormerSmall.__doc__


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "head", "last"),
    [
        ("HRFormerTiny", "ocr", 0.0),
        ("HRFormerSmall", "ocr", 0.2),
        ("HRFormerSmall", None, 0.2),
        ("HRFormerSmall", "classification", 0.0),
        ("HRFormerBase", "classification", 0.2),
    ],
)
def test_stochastic_depth_is_as_published_for_the_head(name, head, last):
    row = VARIANTS[name].with_arguments(head, {"drop_path": None})
    rates = [rate for stage in row.drop_paths for module in stage for rate in module]
    assert len(rates) == 2 * sum(row.modules)
    np.testing.assert_allclose(rates, np.linspace(0, last, len(rates)))
    assert row.with_arguments(head, {"drop_path": 0.5}).drop_paths[-1][-1][-1] == 0.5


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window_size": 0}, "Expected whole numbers of at least 1"),
        ({"num_heads": 3}, "a multiple of num_heads"),
        ({"drop_path": 1.0}, r"drop_path=1\.0"),
        ({"modules": (1, 1)}, r"modules=\(1, 1\)\. Expected three numbers"),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


@pytest.mark.slow
@pytest.mark.compiles
def test_images_of_any_size_have_logits_in_either_data_format():
    last, first = build(), build(data_format="channels_first")
    first.set_weights(randomize(last).get_weights())
    for size in ((17, 33), (45, 70)):
        x = images(*size)
        expected = keras.ops.convert_to_numpy(last(x))
        assert expected.shape == (2, *size, 5)
        actual = keras.ops.convert_to_numpy(first(np.moveaxis(x, -1, 1)))
        np.testing.assert_allclose(np.moveaxis(actual, 1, -1), expected, atol=1e-5)


def test_every_weight_moves_in_training_with_adamw():
    model = build(ocr_dropout=0.0)
    # TensorFlow takes long to trace a step; tests/models/test_hrnet.py traces that of a whole network.
    eagerly = keras.config.backend() == "tensorflow"
    optimizer = keras_hrnet.training.AdamW(1e-3, weight_decay=0.1)
    model.compile(optimizer, keras_hrnet.training.CrossEntropy(), run_eagerly=eagerly)
    randomize(model)
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    labels = np.random.default_rng(2).integers(0, 5, (2, 33, 49)).astype("uint8")
    for _ in range(2):
        assert np.isfinite(float(model.train_on_batch(images(33, 49), labels)))
    for weight, old in zip(model.weights, before, strict=True):
        assert np.any(keras.ops.convert_to_numpy(weight) != old), weight.path


@pytest.mark.slow
@pytest.mark.compiles
def test_an_optimized_network_has_no_batch_normalization_and_the_same_logits():
    model = randomize(build())
    optimized = keras_hrnet.optimize_for_inference(model)
    assert not [weight.path for weight in optimized.weights if "moving" in weight.path]
    expected = keras.ops.convert_to_numpy(model(images(33, 49)))
    actual = keras.ops.convert_to_numpy(optimized(images(33, 49)))
    np.testing.assert_allclose(actual, expected, atol=2e-5 * abs(expected).max())  # measured 1.4e-6


def published_weights_of(model, draw):
    """Draws weights for a network under their official names, in PyTorch's layout."""
    weights = {}
    for weight in model.weights:
        name, shape = name_of(weight.path), tuple(weight.shape)
        if len(shape) == 4:
            shape = (*shape[2:], *shape[:2]) if "/depthwise/" in weight.path else (shape[3], shape[2], *shape[:2])
        weights[name] = draw.uniform(0.5, 1.0, shape if len(shape) == 4 else shape[::-1]).astype("float32")
    return weights


@pytest.mark.slow
@pytest.mark.once
def test_the_backbone_of_a_pose_file_is_loaded_and_its_head_left_out(published_file):
    model = build()
    backbone = keras_hrnet.HRNet(TINY, head=None, data_format="channels_last")
    weights = published_weights_of(backbone, np.random.default_rng(3))
    table = "stage2.0.branches.0.0.attn.attn.relative_position_bias_table"
    file = {f"backbone.{key}": value for key, value in weights.items()}
    file["keypoint_head.final_layer.weight"] = np.ones((17, 4, 1, 1), "float32")
    file[f"backbone.{table.replace('bias_table', 'index')}"] = np.zeros((9, 9), "int64")
    path = published_file(file)
    report = load_checkpoint(model, path, skip_head=True)
    assert "an index that is computed from the window size" in str(report)
    assert report.ignored["keypoint_head.final_layer.weight"] == "part of a head for key points, and skip_head=True"
    for each in (model, build(weights=path)):
        loaded = next(weight for weight in each.weights if name_of(weight.path) == table)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded), weights[table].T)


@pytest.mark.slow
@pytest.mark.once
def test_a_file_says_its_window(published_file):
    row = dataclasses.replace(VARIANTS["HRFormerTiny"], window_size=5)
    model = keras_hrnet.HRNet(row, head=None, data_format="channels_last")
    path = published_file(published_weights_of(model, np.random.default_rng(3)))
    assert describe_checkpoint(path).call == "HRFormerTiny(head=None, window_size=5)"
    with pytest.raises(
        ValueError, match=r"holds the weights of `HRFormerTiny\(head=None, window_size=5\)`: build that network"
    ):
        load_checkpoint(keras_hrnet.HRFormerTiny(head=None), path)


def in_training(**options):
    """Trains a network for three steps, and returns its losses and itself."""
    keras.utils.set_random_seed(0)
    model = build(head="fcn", output_stride=4, **options)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = np.random.default_rng(2).integers(0, 5, (2, 9, 13))
    return [float(model.train_on_batch(images(33, 49), labels)) for _ in range(3)], model


@pytest.mark.heavy  # Here and below, the layers are tested alone, and whole networks of the other families.
def test_rematerialization_changes_nothing():
    (plain, model), (remat, again) = in_training(), in_training(remat=True)
    np.testing.assert_allclose(remat, plain, rtol=1e-4)  # Measured 1e-7 at the first step.
    for one, other in zip(model.weights, again.weights, strict=True):
        one, other = map(keras.ops.convert_to_numpy, (one, other))
        np.testing.assert_allclose(other, one, rtol=1e-2, atol=1e-3)


@pytest.mark.heavy
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_and_gives_logits_in_float32(policy):
    model = randomize(build())
    half = build(dtype=policy)
    half.set_weights(model.get_weights())
    expected, actual = (keras.ops.convert_to_numpy(each(images(33, 49))) for each in (model, half))
    assert actual.dtype == "float32"
    assert np.abs(actual - expected).max() < 0.1 * np.abs(expected).max()
    losses, _ = in_training(dtype=policy)
    assert np.isfinite(losses).all()
