"""`keras-hrnet demo`: draws streets, trains a network on them, scores it, and exports it, in one command."""

from __future__ import annotations

import pathlib
import shlex
from typing import TYPE_CHECKING, Annotated

import rich.table
import rich.text
import typer

from keras_hrnet.cli.console import Console
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.cli.start import start
from keras_hrnet.data_sets.cityscapes import CITYSCAPES, CLASS_NAMES
from keras_hrnet.data_sets.classes import IGNORE_LABEL

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from keras_hrnet.evaluation import EvaluationReport

# Chosen so that the complete demo takes less than five minutes on two CPU cores.
IMAGE_SIZE = (256, 512)
CROP_SIZE = (128, 256)
BATCH_SIZE = 8
NUM_VAL = 20
LEARNING_RATE = 3e-3


def demo(
    folder: Annotated[pathlib.Path, typer.Argument(help="Folder to write to.")] = pathlib.Path("hrnet-demo"),
    images: Annotated[int, typer.Option(help="Number of synthetic streets to train on.", min=BATCH_SIZE)] = 160,
    epochs: Annotated[int, typer.Option(help="Number of epochs.", min=1)] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the streets and of the weights.")] = 0,
) -> None:
    """Draw synthetic streets, train HRNetW18Small on them, score it, and export it for the phone."""
    start()
    import keras
    import numpy as np

    from keras_hrnet.data import cityscapes, synthesize
    from keras_hrnet.evaluation import evaluate, write_html
    from keras_hrnet.export import export_tflite
    from keras_hrnet.models import HRNetW18Small

    console = Console()
    keras.utils.set_random_seed(seed)
    root = folder / "streets"
    with progress_bar("Drawing streets", images + NUM_VAL, "images") as advance:
        synthesize(
            root,
            num_train=images,
            num_val=NUM_VAL,
            num_test=0,
            size=IMAGE_SIZE,
            seed=seed,
            on_image=lambda path: advance(),
        )
    train = cityscapes(root, "train", batch_size=BATCH_SIZE, crop_size=CROP_SIZE, scales=(0.5, 1.0), seed=seed)
    val = cityscapes(root, "val")

    model = HRNetW18Small()
    model.classes = CITYSCAPES.classes
    fit(model, train, epochs)
    model.save(folder / "w18_small.keras")

    scores = evaluate(model, val, num_examples=3)
    console.print(scores_table(scores, baseline(root, val)))
    write_html(scores, folder / "report.html")
    write_picture(model, val, folder / "comparison.png")
    batches = [image for image, _ in val.take(4).as_numpy_iterator()]
    report = export_tflite(
        model, folder / "w18_small.tflite", image_size=IMAGE_SIZE, representative_data=np.concatenate(batches)
    )
    console.print("\nThe file for the phone, run with LiteRT on this machine's CPU", style="bold")
    console.print(str(report), soft_wrap=True)
    write_page(folder, console)
    console.print(rich.text.Text("\nLook at", "bold"), folder / "report.html", "and", folder / "comparison.png")
    command = shlex.join(["keras-hrnet", "predict", str(folder / "w18_small.keras"), "PHOTO.jpg"])
    console.print(rich.text.Text("Then try", "bold"), command, soft_wrap=True, highlight=False)


def write_page(folder: pathlib.Path, console: Console) -> None:
    """Writes the page that segments photos in a browser, or prints why it cannot be written and what to do."""
    from keras_hrnet.export import write_web_page

    try:
        write_web_page(folder / "w18_small.tflite", folder / "web")
    except (OSError, ValueError) as error:
        console.print(f"\nThe web page was not written: {error}", soft_wrap=True, highlight=False)
    else:
        command = shlex.join(["keras-hrnet", "serve", str(folder / "web")])
        console.print("\nThe web page that segments photos in your browser:", style="bold")
        console.print(command, soft_wrap=True, highlight=False)


def fit(model: keras.Model, train: tf.data.Dataset, epochs: int) -> None:
    """Trains with AdamW and a one-cycle learning rate, for a few hundred steps from random weights."""
    import keras

    from keras_hrnet.training.callbacks import TrainingProgress

    steps = epochs * len(train)
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE / 10, steps - steps // 5, warmup_target=LEARNING_RATE, warmup_steps=steps // 5
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=IGNORE_LABEL),
    )
    progress = TrainingProgress(f"Training {model.name}")
    model.fit(train, epochs=epochs, shuffle=False, verbose=0, callbacks=[progress])


def baseline(root: pathlib.Path, val: tf.data.Dataset) -> EvaluationReport:
    """Scores a prediction that needs no network: the most frequent class of the training labels at each pixel."""
    import numpy as np

    from keras_hrnet.data import cityscapes
    from keras_hrnet.evaluation import EvaluationReport, confusion_matrix

    counts = np.zeros((len(CLASS_NAMES), *IMAGE_SIZE), "int64")
    for _, label in cityscapes(root, "train", augment=False).as_numpy_iterator():
        for train_id in range(len(CLASS_NAMES)):
            counts[train_id] += label[0] == train_id
    guess = counts.argmax(axis=0)
    confusion = sum(
        confusion_matrix(label, np.broadcast_to(guess, label.shape), len(CLASS_NAMES))
        for _, label in val.as_numpy_iterator()
    )
    return EvaluationReport(confusion, CLASS_NAMES, len(val), 0.0)


def scores_table(report: EvaluationReport, guess: EvaluationReport) -> rich.table.Table:
    """Makes a table of the scores of the network and of the baseline."""
    table = rich.table.Table(
        title=f"Validation on {report.num_images} streets that the network has not seen",
        caption="Baseline: the most frequent class of the training labels at each pixel.",
    )
    table.add_column("class")
    for column in ("IoU %", "baseline IoU %", "share of pixels %"):
        table.add_column(column, justify="right")
    shares = report.confusion.sum(axis=1) / report.confusion.sum()
    for name, iou, without, share in zip(report.class_names, report.iou, guess.iou, shares, strict=True):
        table.add_row(name, f"{100 * iou:.1f}", f"{100 * without:.1f}", f"{100 * share:.2f}")
    table.add_section()
    mean = (rich.text.Text(text, "bold") for text in ("mean", f"{100 * report.mean_iou:.1f}"))
    table.add_row(*mean, f"{100 * guess.mean_iou:.1f}", "100.00")
    return table


def write_picture(model: keras.Model, val: tf.data.Dataset, path: pathlib.Path) -> None:
    """Writes three validation images next to their labels and predictions."""
    from keras_hrnet.evaluation import comparison, predict

    samples = [(image[0], label[0]) for image, label in val.take(3).as_numpy_iterator()]
    images, labels = zip(*samples, strict=True)
    predictions = [predict(model, image) for image in images]
    comparison(list(images), list(labels), predictions, palette=model.classes).save(path)
