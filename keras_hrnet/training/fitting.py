"""Trains a network by a recipe: the public function `train`, which puts a recipe into Keras's `compile` and `fit`."""

import dataclasses
import itertools
import time

import keras
import numpy as np

from keras_hrnet.evaluation import MeanIoU
from keras_hrnet.evaluation.inference import data_format, num_classes
from keras_hrnet.labels import CLASS_NAMES
from keras_hrnet.layers.sublayers import sublayers
from keras_hrnet.training.callbacks import (
    AveragedWeights,
    Checkpoints,
    Curves,
    LearningRate,
    PredictionImages,
    Scalars,
    StopAtNaN,
    TrainingProgress,
)
from keras_hrnet.training.checks import batch_size_of, check_loss, check_training, class_names_of
from keras_hrnet.training.recipes import RECIPES, resolve_recipe
from keras_hrnet.training.run import describe_run, new_folder, write_run

# Layers of the backbone, by the names that checkpoints give them; what is behind it has a learning rate of its own.
HEAD_PATTERN = r"^(?!stem/|layer1/|transition\d/|stage\d/)"
NUM_PICTURES = 3


def train(
    model, train, val, *, recipe="cityscapes", run_dir=None, loss=None, seed=0, callbacks=(), notes=None, **settings
):
    """Trains a network by a recipe, and gives it the weights with which it scored best.

    Everything runs through `compile` and `fit`. While it runs, a bar shows step, time left, loss and mIoU; the folder
    of the run gets

    - `best.keras` and `last.keras`: the network with the best validation mIoU, and the one of the last epoch;
    - `log.csv` and `curves.png`: loss, mIoU and learning rate of each epoch;
    - `tensorboard/`: the same as scalars, and pictures of some validation images with truth and prediction;
    - `run.json`: recipe, versions, data, seed, and in the end the result: what a repetition needs.

    Validation is on whole images, and its mIoU is exact: see `keras_hrnet.evaluation.MeanIoU`.

    Args:
        model: a network that gives logits, with the weights to start from.
        train: batches `(image, label)` of known number: uint8 or float `(batch, height, width, 3)`, RGB in [0, 255],
            and integers `(batch, height, width)`, train ids, 255 where a pixel is ignored; a `tf.data.Dataset` such as
            `cityscapes` gives, a `keras.utils.PyDataset`, or a PyTorch `DataLoader`.
        val: batches of the same kind.
        recipe: a name out of `keras_hrnet.training.RECIPES`, or a `Recipe`. Where `train` has batches of another size
            than the recipe, it is the data's that counts; the learning rate stays as it is.
        run_dir: folder to write to; None for the first free `runs/<network>-<recipe>-<number>`.
        loss: a name as in recipes, or a `keras.losses.Loss` of logits; None for the recipe's.
        seed: what dropout follows from.
        callbacks: further Keras callbacks.
        notes: what to write into `run.json` about how the network and the data were made, a dict of what JSON holds.
        **settings: other values of the recipe's fields, such as `epochs=50` or `learning_rate=0.02`.

    Returns:
        `model`, compiled, with the weights of the best validation mIoU.

    Raises:
        TypeError: if an argument is of the wrong kind, or labels are not integers.
        ValueError: if a setting or the data does not fit the network, or the run's folder holds a training.
        RuntimeError: if the loss becomes NaN or infinite.

    Example:

    ```python
    model = keras_hrnet.HRNetW48(head="ocr", align_corners=True, weights="imagenet")
    train = cityscapes("data/cityscapes", "train", batch_size=12, crop_size=(512, 1024))
    val = cityscapes("data/cityscapes", "val")
    model = keras_hrnet.train(model, train, val, recipe="cityscapes_ocr", run_dir="runs/ocr")
    ```
    """
    if isinstance(loss, str):
        settings, loss = {**settings, "loss": loss}, None
    recipe = resolve_recipe(recipe, settings)
    name = next((name for name, known in RECIPES.items() if known.source == recipe.source), "own")
    check_training(model, train, val)
    if loss is not None:
        check_loss(loss)
    recipe = at_batches_of(recipe, batch_size_of(train))
    loss_function = loss or recipe.loss_function(num_classes(model), data_format(model))
    optimizer = recipe.optimizer(len(train), HEAD_PATTERN)

    folder = new_folder(run_dir, model.name, name)
    run = describe_run(model, train, val, recipe, name=name, given=settings, seed=seed, loss=loss, notes=notes)
    write_run(folder, run)
    keras.utils.set_random_seed(seed)
    if recipe.freeze_norm:
        freeze_norm(model)
    metric = MeanIoU(num_classes(model), data_format=data_format(model))
    model.compile(optimizer, loss_function, metrics=[metric])
    started = time.perf_counter()
    own = run_callbacks(folder, model, val)
    try:
        history = model.fit(
            train,
            validation_data=val,
            validation_freq=recipe.validate_every,
            epochs=recipe.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[*own, *callbacks],
        )
    finally:
        # Keras tells its callbacks nothing when `fit` raises: the bar and the log would stay open.
        for callback in own:
            if isinstance(callback, TrainingProgress | keras.callbacks.CSVLogger):
                callback.on_train_end()
    if (folder / "best.keras").exists():
        model.load_weights(folder / "best.keras")
    write_run(folder, {**run, "result": _result(history, time.perf_counter() - started)})
    return model


def run_callbacks(folder, model, val):
    """Makes the callbacks that show a run and keep what it leaves.

    Args:
        folder: the run's, a `pathlib.Path`.
        model: the network.
        val: validation data, whose first images become pictures.

    Returns:
        A list of `keras.callbacks.Callback`, in the order in which they need one another.
    """
    images, labels = _first_images(val, data_format(model))
    names = class_names_of(val)
    if names is None and num_classes(model) != len(CLASS_NAMES):
        names = tuple(f"class {i}" for i in range(num_classes(model)))
    return [
        AveragedWeights(),
        LearningRate(),
        StopAtNaN(folder / "last.keras"),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        Curves(folder / "log.csv", folder / "curves.png"),
        Scalars(folder / "tensorboard"),
        PredictionImages(folder / "tensorboard", images, labels, None if names == CLASS_NAMES else names),
        Checkpoints(folder),
        TrainingProgress(f"Training {model.name}"),
    ]


def _first_images(dataset, layout):
    batches = itertools.chain.from_iterable(
        zip(*map(keras.ops.convert_to_numpy, batch), strict=True) for batch in dataset
    )
    images, labels = zip(*itertools.islice(batches, NUM_PICTURES), strict=True)
    if layout == "channels_first":
        images = [np.moveaxis(image, 0, -1) for image in images]
    labels = [label.reshape(label.shape[:2]) for label in labels]
    return [np.clip(np.rint(image), 0, 255).astype("uint8") for image in images], labels


def freeze_norm(model):
    """Makes all batch normalisation of a network keep its statistics, scale and offset.

    Batches of one or two images say little about the statistics of all. Call it before `compile`.

    Args:
        model: the network; it is changed.

    Returns:
        How many layers were frozen.
    """
    layers = [layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.trainable = False
    return len(layers)


def at_batches_of(recipe, images_at_once):
    """Gives a recipe the batches that the data has.

    Args:
        recipe: a `Recipe`.
        images_at_once: images in a batch of the data, or None where it does not say.

    Returns:
        A `Recipe` whose `batch_size` is that of the data times the batches that are added up.
    """
    if images_at_once in (None, recipe.images_at_once):
        return recipe
    return dataclasses.replace(recipe, batch_size=images_at_once * recipe.gradient_accumulation)


def _result(history, seconds):
    scores = history.history.get("val_mean_iou", [])
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return {
        "seconds": round(seconds, 1),
        "validations": len(scores),
        "best_validation": None if best is None else best + 1,
        "best_mean_iou": None if best is None else scores[best],
    }
