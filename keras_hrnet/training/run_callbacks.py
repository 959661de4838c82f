"""Creates the callbacks of a run, which show its progress and write its files."""

import itertools
import pathlib
from typing import Any

import keras
import numpy as np

from keras_hrnet.distributed.processes import num_devices, this_process
from keras_hrnet.models import classes_of
from keras_hrnet.models.interface import data_format, has_own_unit
from keras_hrnet.training.callbacks import (
    AveragedWeights,
    Checkpoints,
    Curves,
    DespiteFullDisk,
    EarlyStop,
    LearningRate,
    Log,
    PredictionImages,
    Saves,
    Scalars,
    StopAtNaN,
    TrainingProgress,
)
from keras_hrnet.training.checks import fault_of
from keras_hrnet.training.recipe import Recipe
from keras_hrnet.training.remaining import remaining
from keras_hrnet.training.state import generators, set_generators

NUM_PICTURES = 3


def run_callbacks(
    folder: pathlib.Path, model: keras.Model, val: Any, train: Any, saves: Saves, recipe: Recipe
) -> list[keras.callbacks.Callback]:
    """Creates the callbacks of a run, in the order in which they depend on one another.

    Args:
        folder: the folder of the run.
        model: the network.
        val: validation data; its first images are shown in TensorBoard.
        train: training data, which may record the files of its batches.
        saves: the callback that saves the run.
        recipe: the recipe of the run.
    """
    averages = AveragedWeights((lambda: _images(train, recipe.norm_batches)) if recipe.norm_batches else None)
    always = [
        averages,
        LearningRate(),
        StopAtNaN(
            saves.path,
            lambda epoch, batch: _step(saves, train, epoch, batch),
            lambda epoch, batch: fault_of(train, epoch, saves.position.step + batch, model),
        ),
    ]
    if recipe.patience is not None:
        always.append(EarlyStop(recipe.patience, folder / "log.csv"))
    checkpoints = Checkpoints(folder, minutes=saves.minutes, averaged=averages.in_model)
    if not this_process().is_first:
        # On JAX, all processes must assign averaged weights to the network together.
        return [*always, checkpoints]
    writers = [
        Log(folder / "log.csv"),
        Curves(folder / "log.csv", folder / "curves.png"),
        Scalars(folder / "tensorboard"),
        *_pictures(folder, model, val),
        checkpoints,
    ]
    return [
        *always,
        *(DespiteFullDisk(callback, saves.stop_on_full_disk) for callback in writers),
        TrainingProgress(f"Training {model.name}", num_steps=saves.num_steps, num_done=lambda: saves.position.step),
    ]


def _images(train, num_batches):
    """Yields the images of the first batches of the training data, and leaves the random generators unchanged."""
    kept = generators()
    if isinstance(train, keras.utils.PyDataset):
        batches = (train[i] for i in range(min(len(train), num_batches)))
    else:
        batches = itertools.islice(iter(remaining(train, 0, 0)[0]), num_batches)
    for images, _ in batches:
        yield keras.ops.convert_to_numpy(images)
    set_generators(kept)


def _pictures(folder, model, val):
    # The network is then distributed over all devices, and can only predict if all processes take part.
    if num_devices() > 1 and keras.config.backend() != "torch":
        return []
    images, labels = _first_images(val, model)
    return [PredictionImages(folder / "tensorboard", images, labels, palette=classes_of(model))]


def _step(saves, train, epoch, batch):
    step = saves.position.step + batch
    name = f"step {step + 1} of epoch {epoch + 1}"
    if not hasattr(train, "files_of_step"):
        return name
    return f"{name}, whose labels are {', '.join(train.files_of_step(epoch * saves.num_steps + step))}"


def _first_images(dataset, model):
    batches = itertools.chain.from_iterable(
        zip(*map(keras.ops.convert_to_numpy, batch), strict=True) for batch in dataset
    )
    images, labels = zip(*itertools.islice(batches, NUM_PICTURES), strict=True)
    if data_format(model) == "channels_first":
        images = [np.moveaxis(image, 0, -1) for image in images]
    labels = [label.reshape(label.shape[:2]) for label in labels]
    if has_own_unit(model):
        return images, labels
    return [np.clip(np.rint(image), 0, 255).astype("uint8") for image in images], labels
