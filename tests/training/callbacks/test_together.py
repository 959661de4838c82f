"""All callbacks in one `fit`, on every backend."""

import io

import keras
import numpy as np
import pytest
import rich.console

from keras_hrnet.evaluation import evaluate
from keras_hrnet.training.callbacks import (
    AveragedWeights,
    Checkpoints,
    Curves,
    LearningRate,
    Log,
    PredictionImages,
    Scalars,
    StopAtNaN,
    TrainingProgress,
)
from keras_hrnet.training.callbacks.log import read_log

NAMES = ("red", "green", "blue")


def test_a_run_leaves_its_files_and_an_end_with_nan_leaves_them_whole(network, fit, images, labels, tmp_path):
    halving = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5)
    model = network(halving, use_ema=True)
    console = rich.console.Console(file=io.StringIO())
    callbacks = [
        AveragedWeights(),
        StopAtNaN(tmp_path / "last.keras"),
        LearningRate(),
        Log(tmp_path / "log.csv"),
        Curves(tmp_path / "log.csv", tmp_path / "curves.png"),
        Scalars(tmp_path / "tensorboard"),
        PredictionImages(tmp_path / "tensorboard", images[:2], labels[:2], NAMES),
        Checkpoints(tmp_path),
        TrainingProgress(console=console),
    ]
    scores = fit(model, callbacks, epochs=2)
    log = read_log(tmp_path / "log.csv")
    assert log["epoch"] == [0, 1]
    # Two steps an epoch.
    assert log["learning_rate"] == pytest.approx([0.05, 0.025])
    report = evaluate(model, [(images[:2], labels[:2])], class_names=NAMES)
    assert scores["val_mean_iou"][1] == pytest.approx(report.mean_iou, abs=1e-6)
    first, second = console.file.getvalue().splitlines()
    assert f"val_mean_iou {scores['val_mean_iou'][0]:.4f}" in first
    assert second.startswith("epoch 2/2  step 4/4  loss ")
    assert [len(list((tmp_path / "tensorboard" / run).iterdir())) for run in ("train", "validation")] == [1, 2]
    assert (tmp_path / "curves.png").is_file()

    before = (tmp_path / "last.keras").read_bytes()
    model.trainable_variables[0].assign(np.full((1, 1, 3, 3), np.nan, "float32"))
    with pytest.raises(RuntimeError, match=r"loss=nan in step 1 of epoch 3\. Expected .* checkpoint is .*last\.keras"):
        fit(model, callbacks, initial_epoch=2, epochs=3)
    assert (tmp_path / "last.keras").read_bytes() == before
    assert keras.models.load_model(tmp_path / "best.keras").name == model.name
