"""The settings that the training data determines."""

import dataclasses

import numpy as np
import pytest

from keras_hrnet.training import RECIPES
from keras_hrnet.training.choices import batch_for, choose, crop_for, note_on_padding

pytestmark = pytest.mark.once


class Data:
    """As many steps as are wanted, whose labels are three quarters of class 0 and one quarter of class 1."""

    def __init__(self, num_steps):
        self.num_steps = num_steps

    def __len__(self):
        return self.num_steps

    def labels(self):
        return [(i, np.array([[0, 0, 0, 1, 255]])) for i in range(3)]


class Repeatable(Data):
    def from_step(self, step):
        raise NotImplementedError


def chosen_by(recipe, *arguments):
    return dataclasses.replace(recipe, **choose(recipe, *arguments))


@pytest.mark.parametrize(
    ("sizes", "crop"),
    [
        ([(360, 480)], (352, 480)),
        ([(1024, 2048)], (512, 1024)),
        ([(3000, 4000)], (608, 832)),
        ([(20, 20)], (32, 32)),
        ([(64, 500), (96, 400), (500, 300)], (96, 384)),
    ],
    ids=str,
)
def test_the_crop_follows_from_the_images(sizes, crop):
    assert crop_for(sizes) == crop
    assert RECIPES["from_scratch"].data_arguments(sizes * 9)["crop_size"] == crop


@pytest.mark.parametrize(
    ("num_images", "accumulation", "batch"), [(8000, 1, 8), (8, 1, 8), (5, 1, 5), (5, 2, 4), (3, 2, 3), (9, 16, 1)]
)
def test_the_batch_has_eight_images_or_all_of_fewer(num_images, accumulation, batch):
    assert batch_for(num_images, accumulation) == batch


@pytest.mark.parametrize(("num_steps", "updates", "repeats", "epochs"), [(3, 3, 1, 1), (3, 5, 2, 1), (3, 100, 7, 5)])
def test_fewer_updates_than_an_epoch_has_steps_are_not_multiplied(num_steps, updates, repeats, epochs):
    recipe = dataclasses.replace(RECIPES["from_scratch"], updates=updates)
    chosen = chosen_by(recipe, Repeatable(num_steps), (2, 64, 96), 2)
    assert (chosen.repeats, chosen.epochs) == (repeats, epochs)


@pytest.mark.parametrize(
    ("num_steps", "repeats", "epochs", "warmup", "every"),
    [(1, 20, 500, 1, 10), (45, 1, 223, 1, 4), (1000, 1, 10, 1, 1), (5000, 1, 2, 0.2, 1)],
)
def test_ten_thousand_updates_are_as_many_epochs_as_they_take(num_steps, repeats, epochs, warmup, every):
    chosen = chosen_by(RECIPES["from_scratch"], Repeatable(num_steps), (8, 64, 96), 2)
    assert (chosen.repeats, chosen.epochs, chosen.warmup_epochs, chosen.validate_every) == (
        repeats, epochs, warmup, every
    )  # fmt: skip
    assert (chosen.crop_size, chosen.batch_size) == ((64, 96), 8)
    # 1 / ln(1.02 + share): 1.7514 and 4.1838, of mean 1
    assert chosen.class_weights == pytest.approx((0.5902, 1.4098), abs=1e-4)


def test_accumulated_batches_make_fewer_updates():
    chosen = chosen_by(RECIPES["fine_tuning"], Data(50), (4, 64, 96), 2)
    assert (chosen.epochs, chosen.repeats, chosen.batch_size, chosen.class_weights) == (100, 1, 8, None)


def test_what_a_recipe_says_is_kept():
    recipe = RECIPES["cityscapes"]
    assert choose(recipe, Data(3), (12, 512, 1024), 19) == {}
    assert choose(recipe, Data(3), (2, 64, 96), 19) == {"batch_size": 2, "crop_size": (64, 96)}
    in_halves = dataclasses.replace(recipe, gradient_accumulation=2)
    assert choose(in_halves, Data(3), (6, 512, 1024), 19) == {}
    assert choose(in_halves, Data(3), (3, 512, 1024), 19) == {"batch_size": 6}


def test_a_crop_that_is_left_open_needs_the_images():
    with pytest.raises(ValueError, match=r"no image sizes for a recipe with crop_size=None"):
        RECIPES["from_scratch"].data_arguments()


def test_data_that_does_not_know_its_steps_is_not_repeated():
    recipe = dataclasses.replace(RECIPES["cityscapes"], repeats=2)
    with pytest.raises(ValueError, match=r"repeats=2 for training data of type Data\."):
        choose(recipe, Data(3), (12, 64, 96), 19)


def test_a_training_mostly_of_padding_is_noted():
    assert note_on_padding((32, 32), [(40, 40), (20, 40)]) is None
    assert note_on_padding((64, 64), [(32, 64), (40, 40)]) == (
        "Note: the training images are smaller than the crops of 64x64. At scale 1, 55% of a crop is padding on "
        "average, which takes time, and from which nothing is learned. --set crop_size=32x32 would avoid most of it."
    )
