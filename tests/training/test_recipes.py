"""Recipes: the published numbers, other values, and what is made of them."""

import dataclasses
import re

import keras
import numpy as np
import pytest

from keras_hrnet.data import CLASS_WEIGHTS, Augmentation
from keras_hrnet.data_sets import Classes
from keras_hrnet.data_sets.cityscapes import CLASS_NAMES
from keras_hrnet.training import (
    RECIPES,
    AdamW,
    CrossEntropy,
    Dice,
    LovaszSoftmax,
    OhemCrossEntropy,
    Recipe,
    RegionMutualInformation,
)
from keras_hrnet.training.recipes import parse_setting, resolve_recipe

pytestmark = pytest.mark.once


def test_the_published_numbers_of_cityscapes():
    recipe = RECIPES["cityscapes"]
    assert (recipe.epochs, recipe.batch_size, recipe.crop_size) == (484, 12, (512, 1024))
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.power) == (0.01, 0.9, 5e-4, 0.9)
    optimizer = recipe.make_optimizer(num_batches=247, head_pattern="^head")
    assert optimizer.learning_rate.dtype is not None
    assert optimizer.get_config()["learning_rate"]["config"]["num_steps"] == 484 * 247
    assert (optimizer.nesterov, optimizer.rate_factors, optimizer.use_ema) == (False, {}, False)
    loss = recipe.loss_function(Classes(CLASS_NAMES), "channels_last")
    assert isinstance(loss, CrossEntropy)
    assert loss.class_weights == CLASS_WEIGHTS


@pytest.mark.parametrize("name", RECIPES)
def test_the_data_arguments_of_a_recipe_are_those_of_a_data_set(name):
    arguments = RECIPES[name].data_arguments([(360, 480)])
    known = {field.name for field in dataclasses.fields(Augmentation)}
    assert arguments.keys() - known == {"batch_size", "crop_size", "class_uniform"}
    Augmentation(**{key: value for key, value in arguments.items() if key in known})


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_its_source_and_prints_every_setting(name):
    printed = str(RECIPES[name])
    sources = "HRNet-Semantic-Segmentation", "HRFormer", "PaddleSeg", "NVIDIA"
    assert any(source in printed for source in sources)
    is_open = bool(re.search("batch_size +chosen from the data", printed))
    assert is_open == (name in ("fine_tuning", "from_scratch"))
    assert all(field.name in printed for field in dataclasses.fields(Recipe) if field.name != "source")


def test_the_published_numbers_of_lite_hrnet():
    recipe = RECIPES["lite_hrnet"]
    assert (recipe.learning_rate, recipe.warmup_steps, recipe.weight_decay, recipe.power) == (5e-3, 1000, 5e-4, 0.9)
    assert abs(recipe.epochs * 2975 / recipe.batch_size - 80_000) < 100
    loss = recipe.loss_function(Classes(CLASS_NAMES), "channels_last")
    assert isinstance(loss, OhemCrossEntropy)
    assert (loss.threshold, loss.min_kept, loss.class_weights) == (0.7, 130_000, None)


def test_the_hierarchical_recipe_has_region_mutual_information():
    assert isinstance(
        RECIPES["hierarchical"].loss_function(Classes.unnamed(7), "channels_last"), RegionMutualInformation
    )


@pytest.mark.parametrize(
    ("loss", "kinds", "weights"),
    [
        ("lovasz", [LovaszSoftmax], None),
        ("dice", [Dice], None),
        ("cross_entropy+lovasz", [CrossEntropy, LovaszSoftmax], (1, 2)),
        ("cross_entropy+dice", [CrossEntropy, Dice], (1, 2)),
    ],
)
def test_losses_of_overlap_are_alone_or_added_to_cross_entropy(loss, kinds, weights):
    recipe = resolve_recipe("cityscapes", {"loss": loss, "class_weights": (1, 2)})
    made = recipe.loss_function(Classes(("a", "b"), ignore_label=9), "channels_first")
    parts = getattr(made, "losses", [made])
    assert [type(part) for part in parts] == kinds
    assert {(part.ignore_label, part.data_format) for part in (made, *parts)} == {(9, "channels_first")}
    assert getattr(parts[0], "class_weights", None) == weights


def test_fine_tuning_accumulates_warms_up_averages_and_hurries_the_head():
    recipe = resolve_recipe("fine_tuning", {"epochs": 100})
    optimizer = recipe.make_optimizer(num_batches=50, head_pattern="^head")
    assert optimizer.gradient_accumulation_steps == 2
    assert optimizer.use_ema
    assert optimizer.rate_factors == {"^head": 10.0}
    schedule = optimizer.get_config()["learning_rate"]["config"]
    assert (schedule["num_steps"], schedule["warmup_steps"]) == (100 * 50 // 2, 25)
    assert recipe.data_arguments([(360, 480)] * 9)["batch_size"] == 4


def test_hrformer_trains_with_adamw_whose_rate_falls_after_its_warm_up():
    optimizer = RECIPES["hrformer"].make_optimizer(num_batches=371, head_pattern="^head")
    assert isinstance(optimizer, AdamW)
    schedule = optimizer.get_config()["learning_rate"]["config"]
    assert (schedule["num_steps"], schedule["warmup_steps"], schedule["warmup_start"]) == (216 * 371, 1500, 1e-6)


@pytest.mark.parametrize(
    ("epochs", "every", "expected"), [(5, 2, [2, 4, 5]), (4, 2, [2, 4]), (2, 1, [1, 2]), (3, 3, [3])]
)
def test_every_nth_epoch_and_the_last_are_validated(epochs, every, expected):
    recipe = dataclasses.replace(RECIPES["cityscapes"], epochs=epochs, validate_every=every)
    assert recipe.validated_epochs == expected


def test_settings_change_a_recipe():
    recipe = resolve_recipe("cityscapes", {"loss": "ohem", "ohem_min_kept": 7, "class_weights": [1, 2], "epochs": 3})
    loss = recipe.loss_function(Classes(("a", "b"), ignore_label=9), "channels_first")
    assert isinstance(loss, OhemCrossEntropy)
    assert (loss.min_kept, loss.class_weights, loss.data_format) == (7, (1, 2), "channels_first")
    assert loss.ignore_label == 9
    assert recipe.epochs == 3
    numpy = {"learning_rate": np.float32(0.5), "epochs": np.int64(3), "crop_size": np.array([64, 128]).tolist()}
    assert resolve_recipe("cityscapes", numpy).learning_rate == 0.5
    assert RECIPES["cityscapes"].epochs == 484


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=0.02", ("learning_rate", 0.02)),
        ("epochs=7", ("epochs", 7)),
        ("crop_size=64x128", ("crop_size", (64, 128))),
        ("crop_size=(64, 128)", ("crop_size", (64, 128))),
        ("scales=0.5,2", ("scales", (0.5, 2))),
        ("class_weights=1,2.5", ("class_weights", (1, 2.5))),
        ("class_weights=none", ("class_weights", None)),
        ("class_weights=enet", ("class_weights", "enet")),
        ("freeze_norm=True", ("freeze_norm", True)),
        ("ema=0.99", ("ema", 0.99)),
    ],
)
def test_a_setting_of_the_command_line_is_read(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat=0.02", "Did you mean learning_rate"),
        ("epochs", "Expected name=value"),
        ("epochs=many", "--set epochs=many. Expected int"),
        ("freeze_norm=1", "Expected bool"),
        ("ema=a", "Expected float or none"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_setting(text)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"learning_rat": 0.1}, ValueError, "Did you mean learning_rate"),
        ({"epochs": 0}, ValueError, "epochs=0. Expected at least 1"),
        ({"epochs": 1.5}, TypeError, "epochs=1.5. Expected"),
        ({"learning_rate": 0}, ValueError, "a number above 0"),
        ({"learning_rate": float("nan")}, TypeError, "learning_rate=nan"),
        ({"loss": "focal"}, ValueError, "loss='focal'. Expected one of"),
        ({"class_weights": "camvid"}, ValueError, "a number for each class"),
        ({"epochs": None}, ValueError, "epochs=None. Expected a number, unless `updates` has one"),
        ({"crop_size": (1, 2, 3)}, ValueError, "two numbers"),
        ({"gradient_accumulation": 5}, ValueError, "Pass one of 1, 2, 3, 4, 6, 12"),
        ({"warmup_epochs": 484}, ValueError, "Expected fewer warm-up epochs"),
        ({"warmup_epochs": 1, "warmup_steps": 9}, ValueError, "Expected at most one of them. Pass 0"),
        ({"validate_every": 500}, ValueError, "at most 484"),
        ({"ema": 1.0}, ValueError, "between 0 and 1"),
        ({"optimizer": "adam"}, ValueError, "optimizer='adam'. Expected one of"),
        ({"optimizer": "adamw", "nesterov": True}, ValueError, "pass optimizer='sgd'"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_is_refused(settings, error, message):
    with pytest.raises(error, match=message):
        resolve_recipe("cityscapes", settings)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match=r"recipe='cityscape'. Expected one of .* Did you mean cityscapes"):
        resolve_recipe("cityscape", {})
    with pytest.raises(TypeError, match=r"a recipe of type dict"):
        resolve_recipe({}, {})


def test_weights_of_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"19 numbers, for a network with 3 classes.*class_weights=None"):
        RECIPES["cityscapes"].loss_function(Classes.unnamed(3), "channels_last")
    other = Classes(("road", *(f"crop {i}" for i in range(18))))
    message = r"where class 1 is 'sidewalk', for a network whose class 1 is 'crop 0'.*class_weights=None"
    with pytest.raises(ValueError, match=message):
        RECIPES["cityscapes"].loss_function(other, "channels_last")
    assert resolve_recipe("cityscapes", {"class_weights": None}).loss_function(other, "channels_last")


def test_nobodys_classes_are_not_weighed_as_those_of_cityscapes_in_silence():
    with pytest.warns(UserWarning, match=r"for 19 classes without names.*model\.classes = 'cityscapes'"):
        loss = RECIPES["cityscapes"].loss_function(Classes.unnamed(19), "channels_last")
    assert loss.class_weights == CLASS_WEIGHTS


def test_a_training_without_an_update_is_refused():
    recipe = resolve_recipe("fine_tuning", {"epochs": 2, "gradient_accumulation": 8})
    with pytest.raises(ValueError, match=r"2 epochs of 3 batches"):
        recipe.make_optimizer(num_batches=3, head_pattern="head")


def test_adamw_is_made_by_the_same_settings():
    recipe = resolve_recipe("fine_tuning", {"epochs": 9, "optimizer": "adamw", "clip_norm": 2.0, "momentum": 0.8})
    optimizer = recipe.make_optimizer(num_batches=50, head_pattern="^head")
    assert isinstance(optimizer, AdamW)
    sgd = dataclasses.replace(recipe, optimizer="sgd").make_optimizer(num_batches=50, head_pattern="^head").get_config()
    common = {name: value for name, value in optimizer.get_config().items() if name in sgd and name != "name"}
    assert common == {name: sgd[name] for name in common}
    assert common.keys() > {"learning_rate", "weight_decay", "global_clipnorm", "ema_momentum", "rate_factors"}
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.8, 0.999, 1e-8)


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPES["cityscapes"].epochs = 3
    assert keras.optimizers.serialize(RECIPES["cityscapes"].make_optimizer(10, "x"))
