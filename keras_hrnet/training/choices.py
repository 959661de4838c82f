"""The settings of a recipe that the training data determines: crop, batch, epochs, class weights."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_hrnet.distributed.processes import num_devices

if TYPE_CHECKING:
    from keras_hrnet.training.recipe import Recipe

# Crops have at most as many pixels as those of the published training on Cityscapes, in multiples of the coarsest
# stride.
MOST_PIXELS = 512 * 1024
STRIDE = 32
MOST_IMAGES = 8
# Class weights that are computed from the shares of the classes in the training labels.
COUNTED = ("enet", "median_frequency")
# After shorter epochs, writing the logs would take longer than the steps.
LEAST_STEPS = 20
NUM_VALIDATIONS = 50
# The share of padding in crops above which a note is printed.
MOST_PADDING = 0.25


def crop_for(image_sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Returns the crop size of training images: their median size, reduced to at most 512 * 1024 pixels.

    Height and width are multiples of 32.

    Args:
        image_sizes: (height, width) of each image, in pixels.

    Example:

    >>> crop_for([(360, 480)]), crop_for([(3000, 4000)])
    ((352, 480), (608, 832))
    """
    size = [statistics.median(sizes) for sizes in zip(*image_sizes, strict=True)]
    factor = min(1.0, math.sqrt(MOST_PIXELS / math.prod(size)))
    return tuple(max(1, int(factor * length) // STRIDE) * STRIDE for length in size)


def note_on_padding(crop_size: tuple[int, int], image_sizes: Sequence[tuple[int, int]]) -> str | None:
    """Returns a note for the user if the training images are much smaller than their crops; otherwise None.

    Args:
        crop_size: (height, width) of the crops, in pixels.
        image_sizes: (height, width) of each image, in pixels.
    """
    filled = [math.prod(map(min, crop_size, size)) / math.prod(crop_size) for size in image_sizes]
    padding = 1 - sum(filled) / len(filled)
    if padding <= MOST_PADDING:
        return None
    size, better = ("x".join(map(str, pair)) for pair in (crop_size, crop_for(image_sizes)))
    return (
        f"Note: the training images are smaller than the crops of {size}. At scale 1, {padding:.0%} of a crop is "
        "padding on average, which takes time, and from which nothing is learned. --set crop_size="
        f"{better} would avoid most of it."
    )


def batch_for(num_images: int, gradient_accumulation: int = 1) -> int:
    """Returns the batch size: eight images per update, or all images if there are fewer.

    It is a multiple of the number of devices.
    """
    at_once = min(max(1, MOST_IMAGES // gradient_accumulation), num_images)
    return max(1, at_once // num_devices()) * num_devices()


def choose(recipe: Recipe, train: Any, batch_shape: tuple[int, int, int], num_classes: int) -> dict[str, Any]:
    """Returns the settings that the training data determines: those that are None, and those that it overrides.

    Batch size and crop size are those of the data. If the data can produce the batches of any step, it is repeated
    until an epoch has at least 20 steps, or all steps of a shorter run. The number of epochs follows from the number of
    updates. About 50 of the epochs, or all if there are fewer, end with a validation.

    Args:
        recipe: the recipe.
        train: the training data.
        batch_shape: number of images in its batches, over all processes, and their height and width.
        num_classes: number of classes.

    Returns:
        The values that differ from those of the recipe, by name, in the order of its fields.

    Raises:
        ValueError: if the recipe repeats data that cannot produce the batches of any step.
    """
    if recipe.repeats not in (None, 1) and not hasattr(train, "from_step"):
        raise ValueError(
            f"Received repeats={recipe.repeats} for training data of type {type(train).__name__}. Expected data of "
            "`folders` or `cityscapes`, which can produce the batches of any step. Pass repeats=1."
        )
    least_steps = LEAST_STEPS if recipe.epochs else min(LEAST_STEPS, recipe.updates * recipe.gradient_accumulation)
    repeats = recipe.repeats or (-(-least_steps // len(train)) if hasattr(train, "from_step") else 1)
    epochs = recipe.epochs or -(-recipe.updates * recipe.gradient_accumulation // (len(train) * repeats))
    weights = recipe.class_weights
    if weights in COUNTED:
        from keras_hrnet.data import class_shares, class_weights  # Pipelines are imported only when they are used.

        shares = class_shares(train.labels() if hasattr(train, "labels") else train, num_classes)
        weights = tuple(float(weight) for weight in class_weights(shares, weights))
    count, *size = batch_shape
    values = {
        "epochs": epochs,
        "repeats": repeats,
        "batch_size": count * recipe.gradient_accumulation,
        "warmup_epochs": recipe.warmup_epochs if recipe.epochs else min(recipe.warmup_epochs, epochs / 10),
        "class_weights": weights,
        "validate_every": recipe.validate_every or max(1, epochs // NUM_VALIDATIONS),
        "crop_size": tuple(size),
    }
    return {name: value for name, value in values.items() if value != getattr(recipe, name)}
