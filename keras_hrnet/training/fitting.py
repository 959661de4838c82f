"""Trains a network with a recipe: the public function `train`, which runs a recipe with Keras's `compile` and `fit`."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import rich.console

from keras_hrnet.distributed.processes import gather_texts, num_devices, this_process
from keras_hrnet.evaluation import MeanIoU
from keras_hrnet.families import BACKBONE_LAYERS
from keras_hrnet.layers.sublayers import sublayers
from keras_hrnet.models import classes_of
from keras_hrnet.models.interface import data_format, image_size
from keras_hrnet.training.callbacks import Saves, TrainingProgress
from keras_hrnet.training.checks import batch_shape_of, check_devices, check_loss, check_training
from keras_hrnet.training.choices import choose
from keras_hrnet.training.determinism import be_deterministic
from keras_hrnet.training.folder import open_folder_together
from keras_hrnet.training.recipe import Recipe
from keras_hrnet.training.recipes import RECIPES, resolve_recipe
from keras_hrnet.training.remaining import remaining, repeat_epoch_ends
from keras_hrnet.training.run import describe_run, identity_of, result_of, write_run
from keras_hrnet.training.run_callbacks import run_callbacks
from keras_hrnet.training.state import TrainingState
from keras_hrnet.training.teaching import check_teacher, taught
from keras_hrnet.training.termination import noting_termination, stop

# Weights outside the backbone have their own learning rate.
HEAD_PATTERN = f"^(?!{BACKBONE_LAYERS})"
# Height and width of the labels with which losses are built; large enough for the neighborhoods of any usual radius.
SIZE_TO_BUILD = 64
RESUME_FILE = "resume.npz"


def train(
    model: keras.Model,
    train: Any,
    val: Any,
    *,
    recipe: str | Recipe = "cityscapes",
    run_dir: str | os.PathLike | None = None,
    loss: str | keras.losses.Loss | None = None,
    teacher: keras.Model | None = None,
    seed: int = 0,
    deterministic: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    notes: dict[str, Any] | None = None,
    save_minutes: float = 10.0,
    stop_on_full_disk: bool = False,
    **settings: Any,
) -> keras.Model:
    """Trains a network with a recipe, and returns it with the weights of the best validation score.

    The network is trained by `compile` and `fit`. A bar shows step, time left, loss and mIoU. These files are written
    to the folder of the run:

    - `best.keras` and `last.keras`: the network with the best validation mIoU, and the network of the last epoch;
    - `resume.npz`: everything that is needed to resume the run, until it is complete;
    - `log.csv` and `curves.png`: loss, mIoU and learning rate of each epoch;
    - `tensorboard/`: the same as scalars, and some validation images next to their labels and predictions;
    - `run.json`: recipe, versions, data and seed, which are needed to repeat the run, and finally its result.

    The mIoU of a validation is exact: see `keras_hrnet.evaluation.MeanIoU`. Inside `keras_hrnet.training.distributed`,
    several devices or processes train together.

    If the classes of the network have no names, it gets the classes of `train` or `val`, which are stored in its files.

    An interrupted run resumes from its last save when `train` is called again with the same arguments, and ends with
    the same weights: see `deterministic`. After Ctrl-C or SIGTERM, the run is saved before the process ends; a second
    Ctrl-C ends it without saving. SIGTERM ends it with status 143. Data sets of `cityscapes` and `folders` continue
    with the next images. So does a `PyDataset` whose batches depend only on their index, or whose `on_epoch_end`
    shuffles with its own generator. Other data must have the same order in each epoch. Your own callbacks start over,
    and an epoch that was interrupted has a `fit` of its own.

    Args:
        model: a network that returns logits, with the weights to start from.
        train: a `tf.data.Dataset` such as `cityscapes` returns, a `keras.utils.PyDataset`, or a PyTorch `DataLoader`,
            whose number of batches is known. Its batches are pairs `(image, label)`: uint8 or float `(batch, height,
            width, 3)`, RGB in [0, 255], or as the network was built; and integers `(batch, height, width)`, train ids,
            with the network's ignore label (255) for ignored pixels.
        val: batches of the same kind.
        recipe: a name in `keras_hrnet.training.RECIPES`, or a recipe. The batch size and image size of `train` override
            those of the recipe, and do not change the learning rate. Settings that a recipe leaves open are chosen from
            the data, printed, and written to `run.json`.
        run_dir: folder of the run to start or to resume; None uses the first `runs/<network>-<recipe>-<number>` that
            does not exist, or that holds the same run unfinished.
        loss: a name as in recipes, or a loss of logits; None uses the recipe's loss.
        teacher: a trained network with the same classes, from which the model learns in addition to the labels: its
            probabilities (`Distillation`, with the recipe's `distillation` and `temperature`), and, if
            `feature_distillation` is above 0, the maps of its stages (`FeatureDistillation`). It may have any size and
            head; for `feature_distillation`, both must be networks of this package with a head other than
            "hierarchical". No file of the run contains it.
        seed: seed of dropout.
        deterministic: whether to compute with deterministic operations. With them, an interrupted run and a repeated
            run end with bit for bit the same weights, on the same device and number of cores. Without them, this is
            true on one core of a CPU; on several cores, most runs agree, but two runs were observed to differ from the
            tenth step on.
        callbacks: further callbacks.
        notes: description of how the network and the data were made, in types that JSON supports; it is written to
            `run.json`.
        save_minutes: minutes between saves; 0 saves after each step.
        stop_on_full_disk: whether to stop when the disk is full, instead of warning and continuing.
        **settings: other values for the recipe's fields, such as `epochs=50` or `learning_rate=0.02`.

    Returns:
        `model`, compiled, with the weights of the best validation mIoU.

    Raises:
        TypeError: if an argument is of the wrong kind, or labels are not integers.
        ValueError: if a setting or the data does not match the network, network and data have different classes, or the
            run's folder holds another run.
        BlockingIOError: if another process trains in the run's folder.
        OSError: if a file cannot be written for another reason than a full disk, or if the disk is full and
            `stop_on_full_disk` is set.
        RuntimeError: if the loss becomes NaN or infinite.
        SystemExit: after SIGTERM.
        KeyboardInterrupt: after Ctrl-C.

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
    classes = check_training(model, train, val)
    if loss is not None:
        check_loss(loss)
    of_maps = ["feature_distillation"] if recipe.feature_distillation else []
    if teacher is not None:
        check_teacher(teacher, model, recipe)
    elif strange := sorted(settings.keys() & {"distillation", "temperature"}) + of_maps:
        raise ValueError(
            f"Received {strange[0]}={getattr(recipe, strange[0])} without a teacher. Expected a teacher to learn from. "
            "Pass `teacher` (`--teacher`), or leave the setting out."
        )
    check_devices(model, train, val, recipe)
    chosen = choose(recipe, train, batch_shape_of(model, train), len(classes.names))
    recipe = dataclasses.replace(recipe, **chosen)
    loss_function = loss or recipe.loss_function(classes, data_format(model))
    optimizer = recipe.make_optimizer(len(train) * recipe.repeats, HEAD_PATTERN)
    metric = MeanIoU(len(classes.names), classes.ignore_label, data_format(model))
    if not save_minutes >= 0:
        raise ValueError(f"Received save_minutes={save_minutes}. Expected at least 0, which saves after each step.")

    if classes != classes_of(model):
        model.classes = classes
    run = describe_run(
        model,
        train,
        val,
        recipe,
        name=name,
        given=settings,
        chosen=chosen,
        seed=seed,
        loss=loss,
        teacher=teacher,
        notes=notes,
    )
    is_first = this_process().is_first
    with open_folder_together(run_dir, run) as (folder, run):
        if chosen:
            _say(f"Chosen from the data: {', '.join(f'{name}={_short(value)}' for name, value in chosen.items())}.")
        keras.utils.set_random_seed(seed)
        if deterministic:
            be_deterministic()
        if recipe.freeze_norm:
            freeze_norm(model)
        model.compile(optimizer, loss_function, metrics=[metric])
        # A save includes the optimizer's variables, and can only be loaded after they are built.
        model.optimizer.build(model.trainable_variables)
        if num_devices() > 1 and keras.config.backend() == "tensorflow":
            _build_loss_and_metrics(model)
        if "result" in run:
            _say(f"The run in {folder} is complete.")
        else:
            saves = Saves(
                folder / RESUME_FILE,
                TrainingState(model, [metric]),
                len(train) * recipe.repeats,
                recipe.epochs,
                minutes=save_minutes if is_first else math.inf,
                validated_epochs=recipe.validated_epochs,
                stop_on_full_disk=stop_on_full_disk,
                run_id=identity_of(run),
            )
            with taught(model, teacher, recipe, loss_function):
                _fit(model, train, val, recipe, folder, saves, callbacks)
            if is_first:
                write_run(folder, {**run, "result": result_of(folder, saves.position.seconds)})
                saves.path.unlink(missing_ok=True)
            gather_texts("written")
            if saves.terminated_by:
                stop(saves.terminated_by)
        if (folder / "best.keras").exists():
            model.load_weights(folder / "best.keras")
    return model


def freeze_norm(model: keras.Model) -> int:
    """Freezes the statistics, scale and offset of all batch normalization in a network.

    Batches of one or two images give poor estimates of the statistics of all images. Call it before `compile`.

    Args:
        model: the network; it is changed.

    Returns:
        The number of layers that were frozen.
    """
    layers = [layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.trainable = False
    return len(layers)


def _build_loss_and_metrics(model):
    # Keras would build them with the mean of the first labels of all replicas, which is not an integer.
    shape = [1, *(size or SIZE_TO_BUILD for size in model.output_shape[1:])]
    labels = np.full([1, *image_size(model, np.empty(shape, "bool"))], classes_of(model).ignore_label, "int32")
    with keras.StatelessScope():
        model.compute_loss(None, labels, keras.ops.zeros(shape))
        model.compute_metrics(None, labels, keras.ops.zeros(shape))


def _fit(
    model: keras.Model,
    train: Any,
    val: Any,
    recipe: Recipe,
    folder: pathlib.Path,
    saves: Saves,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Trains from the last save, in one `fit`, or in two if the first one completes an interrupted epoch."""
    position = saves.read()
    _check_same_position(position, saves.path)
    if position is not None:
        _say(f"Resuming the run in {folder} after {position}.")
        repeat_epoch_ends(train, position.epoch, position.step)
    own = run_callbacks(folder, model, val, train, saves, recipe)
    # The other processes have nothing to save, but must not end before the first one has saved.
    with noting_termination(saves.terminate if this_process().is_first else lambda _: None):
        while saves.continues:
            data, steps = remaining(train, saves.position.epoch, saves.position.step, recipe.repeats)
            saves.keeps_iterator = steps is not None
            try:
                model.fit(
                    data,
                    validation_data=val,
                    validation_freq=recipe.validated_epochs,
                    initial_epoch=saves.position.epoch,
                    epochs=recipe.epochs,
                    steps_per_epoch=steps,
                    shuffle=False,
                    verbose=0,
                    callbacks=[*own, *callbacks, saves],
                )
            finally:
                # Keras does not notify its callbacks when `fit` raises an error, so that the bar would stay open.
                for callback in own:
                    if isinstance(callback, TrainingProgress):
                        callback.close()
                if saves.stop_message:
                    saves.report(saves.stop_message)  # While the bar was open, the message would share its last line.


def _check_same_position(position, path):
    for i, text in enumerate(texts := gather_texts(str(position))):
        if text != texts[0]:
            raise ValueError(
                f"Received {str(path)!r}, where process {i} reads {text}, and the first process reads {texts[0]} "
                "(None: no file). Expected one folder for all processes. Pass a run_dir on a disk that they share."
            )


def _short(value):
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _say(text):
    if not this_process().is_first:
        return
    rich.console.Console().print(text, soft_wrap=True, markup=False, highlight=False)
