"""Writes files for TensorBoard: the logs of a run as curves, and predictions as pictures."""

import os
import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from keras_hrnet.evaluation import comparison, predict
from keras_hrnet.evaluation.pictures import Palette, as_rgb
from keras_hrnet.models import classes_of
from keras_hrnet.training.callbacks.averaging import averaged_weights
from keras_hrnet.training.callbacks.event_file import EventFile


class Scalars(keras.callbacks.Callback):
    """Writes the logs of each epoch for TensorBoard, under the names of `keras.callbacks.TensorBoard`.

    Keras's callback needs the package `tensorboard` to write its files. With this one, it is needed only for viewing:
    `tensorboard --logdir …`. Training and validation values are two runs, `train` and `validation`, whose curves
    TensorBoard draws in one chart: `epoch_loss`, `epoch_mean_iou`, and, after `LearningRate`, `epoch_learning_rate`.

    Args:
        log_dir: the folder to write to.
    """

    def __init__(self, log_dir: str | os.PathLike):
        super().__init__()
        self.log_dir = pathlib.Path(log_dir)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.files = {}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        for name, value in (logs or {}).items():
            run = "validation" if name.startswith("val_") else "train"
            if run not in self.files:
                self.files[run] = EventFile(self.log_dir / run)
            self.files[run].add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)

    def on_train_end(self, logs: dict | None = None) -> None:
        for file in self.files.values():
            file.close()


class PredictionImages(keras.callbacks.Callback):
    """Writes images, their labels and the network's predictions side by side for TensorBoard, after each epoch.

    If the optimizer has `use_ema=True`, the predictions are those of the averaged weights.

    Args:
        log_dir: the folder to write to, which is also the folder of `Scalars`.
        images: a few images `(height, width, channels)` as `predict` accepts them, RGB in [0, 255] or as the network
            was built. The backend compiles once per image size.
        labels: the labels of each image, integers `(height, width)`, train ids; ignored pixels as in
            `keras_hrnet.evaluation.colorize`.
        class_names: names of the classes, by train id. Without names and palette, those of the network are used.
        palette: colors of the classes, as in `keras_hrnet.evaluation.colorize`.

    Raises:
        TypeError: if labels are not integers.
        ValueError: if images and labels differ in number or size, or a class lacks a name or a color.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        images: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
        class_names: Sequence[str] | None = None,
        palette: Palette = None,
    ):
        super().__init__()
        self.log_dir = pathlib.Path(log_dir)
        self.images = [np.asarray(image) for image in images]
        self.labels = [np.asarray(label) for label in labels]
        self.names_and_colors = {"class_names": class_names, "palette": palette}
        # Raises an error for invalid pictures before the first epoch.
        self.pictures = [as_rgb(image) for image in self.images]
        comparison(self.pictures, self.labels, self.labels, **self.names_and_colors)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.file = EventFile(self.log_dir / "validation")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        with averaged_weights(self.model):
            predictions = [predict(self.model, image) for image in self.images]
        painting = self.names_and_colors
        if painting == {"class_names": None, "palette": None}:
            painting = {"palette": classes_of(self.model)}
        for i, sample in enumerate(zip(self.pictures, self.labels, predictions, strict=True)):
            self.file.add_picture(f"prediction/{i}", comparison(*sample, **painting), epoch)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.file.close()
