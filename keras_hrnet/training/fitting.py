"""Trains a network by a recipe: the public function `train`, which puts a recipe into Keras's `compile` and `fit`."""

import dataclasses
import itertools
import math

import keras
import numpy as np
import rich.console

from keras_hrnet.data_sets.classes import IGNORE_LABEL
from keras_hrnet.distributed.processes import gather_texts, num_devices, this_process
from keras_hrnet.evaluation import MeanIoU
from keras_hrnet.layers.sublayers import sublayers
from keras_hrnet.models.interface import data_format, image_size, num_classes
from keras_hrnet.models.network import classes_of
from keras_hrnet.training.callbacks import (
    AveragedWeights,
    Checkpoints,
    Curves,
    DespiteFullDisk,
    LearningRate,
    Log,
    PredictionImages,
    Saves,
    Scalars,
    StopAtNaN,
    TrainingProgress,
)
from keras_hrnet.training.callbacks.curves import read_log
from keras_hrnet.training.checks import batch_size_of, check_devices, check_loss, check_training, class_names_of
from keras_hrnet.training.recipes import RECIPES, resolve_recipe
from keras_hrnet.training.remaining import remaining, repeat_epoch_ends
from keras_hrnet.training.run import describe_run, open_folder_together, write_run
from keras_hrnet.training.state import TrainingState
from keras_hrnet.training.termination import EXIT_STATUS, noting_termination

# Layers of the backbone, by the names that checkpoints give them; what is behind it has a learning rate of its own.
HEAD_PATTERN = r"^(?!stem/|layer1/|transition\d/|stage\d/)"
NUM_PICTURES = 3
# Height and width of the labels that losses are built with: room for a neighbourhood of any usual radius.
SIZE_TO_BUILD = 64
RESUME_FILE = "resume.npz"


def train(
    model,
    train,
    val,
    *,
    recipe="cityscapes",
    run_dir=None,
    loss=None,
    seed=0,
    callbacks=(),
    notes=None,
    save_minutes=10.0,
    stop_on_full_disk=False,
    **settings,
):
    """Trains a network by a recipe, and gives it the weights with which it scored best.

    Everything runs through `compile` and `fit`. While it runs, a bar shows step, time left, loss and mIoU; the folder
    of the run gets

    - `best.keras` and `last.keras`: the network with the best validation mIoU, and the one of the last epoch;
    - `resume.npz`: all that the training needs to go on, as long as it is not complete;
    - `log.csv` and `curves.png`: loss, mIoU and learning rate of each epoch;
    - `tensorboard/`: the same as scalars, and pictures of some validation images with truth and prediction;
    - `run.json`: recipe, versions, data, seed, and in the end the result: what a repetition needs.

    Validation is on whole images, and its mIoU is exact: see `keras_hrnet.evaluation.MeanIoU`. Several devices or
    processes train together inside of `keras_hrnet.training.distributed`.

    A training that was interrupted, however, goes on from its last save when `train` is called with the same arguments
    again, and ends with the same weights: on one CPU, bit for bit. SIGTERM saves first, and ends the process with
    status 143. Data sets of `cityscapes` and `folders` go on with the images that were next, and so does a `PyDataset`
    that follows from its index, or draws its order from a generator of its own in `on_epoch_end`. Other data must come
    in the same order in each epoch. Further callbacks begin anew, and see two trainings where an epoch was interrupted.

    Args:
        model: a network that gives logits, with the weights to start from.
        train: batches `(image, label)` of known number: uint8 or float `(batch, height, width, 3)`, RGB in [0, 255],
            and integers `(batch, height, width)`, train ids, 255 where a pixel is ignored; a `tf.data.Dataset` such as
            `cityscapes` gives, a `keras.utils.PyDataset`, or a PyTorch `DataLoader`.
        val: batches of the same kind.
        recipe: a name out of `keras_hrnet.training.RECIPES`, or a `Recipe`. Where `train` has batches of another size
            than the recipe, it is the data's that counts; the learning rate stays as it is.
        run_dir: folder to write to, or to go on in; None for the first `runs/<network>-<recipe>-<number>` that is free,
            or holds this very training unfinished.
        loss: a name as in recipes, or a `keras.losses.Loss` of logits; None for the recipe's.
        seed: what dropout follows from.
        callbacks: further Keras callbacks.
        notes: what to write into `run.json` about how the network and the data were made, a dict of what JSON holds.
        save_minutes: from one save to the next; 0 saves after each step.
        stop_on_full_disk: whether to stop when the disk is full; else it is reported, and training goes on.
        **settings: other values of the recipe's fields, such as `epochs=50` or `learning_rate=0.02`.

    Returns:
        `model`, compiled, with the weights of the best validation mIoU.

    Raises:
        TypeError: if an argument is of the wrong kind, or labels are not integers.
        ValueError: if a setting or the data does not fit the network, or the run's folder holds another training.
        BlockingIOError: if another process trains in the run's folder.
        OSError: if something cannot be written, and the disk is not full, or `stop_on_full_disk` is set.
        RuntimeError: if the loss becomes NaN or infinite.
        SystemExit: after SIGTERM.

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
    check_devices(model, train, val, recipe.freeze_norm)
    recipe = at_batches_of(recipe, batch_size_of(train))
    loss_function = loss or recipe.loss_function(num_classes(model), data_format(model))
    optimizer = recipe.optimizer(len(train), HEAD_PATTERN)
    if not save_minutes >= 0:
        raise ValueError(f"Received save_minutes={save_minutes}. Expected at least 0, which saves after each step.")

    run = describe_run(model, train, val, recipe, name=name, given=settings, seed=seed, loss=loss, notes=notes)
    is_first = this_process().is_first
    with open_folder_together(run_dir, run) as (folder, run):
        keras.utils.set_random_seed(seed)
        if recipe.freeze_norm:
            freeze_norm(model)
        metric = MeanIoU(num_classes(model), data_format=data_format(model))
        model.compile(optimizer, loss_function, metrics=[metric])
        # What is saved has the optimizer's variables, and can only be loaded into those.
        model.optimizer.build(model.trainable_variables)
        if num_devices() > 1 and keras.config.backend() == "tensorflow":
            _build_loss_and_metrics(model)
        if "result" in run:
            _say(f"The training in {folder} is complete.")
        else:
            saves = Saves(
                folder / RESUME_FILE,
                TrainingState(model, [metric]),
                len(train),
                recipe.epochs,
                minutes=save_minutes if is_first else math.inf,
                validate_every=recipe.validate_every,
                stop_on_full_disk=stop_on_full_disk,
            )
            _fit(model, train, val, recipe, folder, saves, callbacks)
            if is_first:
                write_run(folder, {**run, "result": _result(folder, saves.position.seconds)})
                saves.path.unlink(missing_ok=True)
            gather_texts("written")
            if saves.is_terminated:
                raise SystemExit(EXIT_STATUS)
        if (folder / "best.keras").exists():
            model.load_weights(folder / "best.keras")
    return model


def _build_loss_and_metrics(model):
    # Keras would build them with the mean of the first labels of all replicas, which is no integer.
    shape = [1, *(size or SIZE_TO_BUILD for size in model.output_shape[1:])]
    labels = np.full([1, *image_size(model, np.empty(shape, "bool"))], IGNORE_LABEL, "uint8")
    with keras.StatelessScope():
        model.compute_loss(None, labels, keras.ops.zeros(shape))
        model.compute_metrics(None, labels, keras.ops.zeros(shape))


def _fit(model, train, val, recipe, folder, saves, callbacks):
    """Trains from the last save on, in one `fit`, or in two where the first ends an epoch."""
    position = saves.read()
    _check_same_position(position, saves.path)
    if position is not None:
        _say(f"Goes on in {folder} after {position}.")
        repeat_epoch_ends(train, position.epoch, position.step)
    own = run_callbacks(folder, model, val, train, saves)
    # The others must not end before the first has saved, and have nothing to save.
    with noting_termination(saves.terminate if this_process().is_first else lambda: None):
        while saves.goes_on:
            data, steps = remaining(train, saves.position.epoch, saves.position.step)
            saves.keeps_iterator = steps is not None
            try:
                model.fit(
                    data,
                    validation_data=val,
                    validation_freq=recipe.validate_every,
                    initial_epoch=saves.position.epoch,
                    epochs=recipe.epochs,
                    steps_per_epoch=steps,
                    shuffle=False,
                    verbose=0,
                    callbacks=[*own, *callbacks, saves],
                )
            finally:
                # Keras tells its callbacks nothing when `fit` raises: the bar would stay open.
                for callback in own:
                    if isinstance(callback, TrainingProgress):
                        callback.close()


def _check_same_position(position, path):
    for i, text in enumerate(texts := gather_texts(str(position))):
        if text != texts[0]:
            raise ValueError(
                f"Received {str(path)!r}, where process {i} reads {text}, and the first {texts[0]} (None: no file). "
                "Expected one folder for all processes. Pass a run_dir on a disk that they share."
            )


def _say(text):
    if not this_process().is_first:
        return
    rich.console.Console().print(text, soft_wrap=True, markup=False, highlight=False)


def run_callbacks(folder, model, val, train, saves):
    """Makes the callbacks that show a run and keep what it leaves.

    Args:
        folder: the run's, a `pathlib.Path`.
        model: the network.
        val: validation data, whose first images become pictures.
        train: training data, which may know the files of its batches.
        saves: the `Saves` of the run.

    Returns:
        A list of `keras.callbacks.Callback`, in the order in which they need one another.
    """
    always = [
        AveragedWeights(),
        LearningRate(),
        StopAtNaN(saves.path, lambda epoch, batch: _step(saves, train, epoch, batch)),
    ]
    checkpoints = Checkpoints(folder, minutes=saves.minutes)
    if not this_process().is_first:
        # On JAX, all processes put averaged weights into the network, or none.
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
        TrainingProgress(f"Training {model.name}"),
    ]


def _pictures(folder, model, val):
    # There, no device has the network for itself: it predicts on all of them, in all processes, or not at all.
    if num_devices() > 1 and keras.config.backend() != "torch":
        return []
    images, labels = _first_images(val, data_format(model))
    names = None if classes_of(model).are_named else class_names_of(val)
    return [PredictionImages(folder / "tensorboard", images, labels, names)]


def _step(saves, train, epoch, batch):
    step = saves.position.step + batch
    name = f"step {step + 1} of epoch {epoch + 1}"
    if not hasattr(train, "files_of_step"):
        return name
    return f"{name}, whose labels are {', '.join(train.files_of_step(epoch * saves.num_steps + step))}"


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


def _result(folder, seconds):
    path = folder / "log.csv"
    log = read_log(path) if path.is_file() else {}
    scores = [score for score in log.get("val_mean_iou", []) if math.isfinite(score)]
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return {
        "seconds": round(seconds, 1),
        "validations": len(scores),
        "best_validation": None if best is None else best + 1,
        "best_mean_iou": None if best is None else scores[best],
    }
