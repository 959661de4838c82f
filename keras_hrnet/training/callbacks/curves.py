"""Draws the curves of a run: losses, scores and learning rate over the epochs."""

from __future__ import annotations

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import keras

from keras_hrnet.replacing import replacing
from keras_hrnet.training.callbacks.log import read_log

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Names in the log and in the legend, by panel.
PANELS = (
    ("loss", {"loss": "training", "val_loss": "validation"}),
    ("mean IoU", {"mean_iou": "training", "val_mean_iou": "validation"}),
    ("learning rate", {"learning_rate": None}),
)
COLORS = ("#5f6368", "#1a73e8")
SIZE_INCHES = (8, 9)
DOTS_PER_INCH = 120


class Curves(keras.callbacks.Callback):
    """Draws loss, mean IoU and learning rate over the epochs, again after each epoch.

    It reads the file that `Log` or `keras.callbacks.CSVLogger` has written, and therefore draws all epochs of a resumed
    run. Place it after that callback. If an epoch was started twice, the last attempt counts. Panels without values are
    left out.

    Args:
        log_csv: the file of the log.
        png: the picture to write.

    Raises:
        FileNotFoundError: after an epoch, if there is no `log_csv`.

    Example:

    ```python
    callbacks = [LearningRate(), Log("log.csv"), Curves("log.csv", "curves.png")]
    ```
    """

    def __init__(self, log_csv: str | os.PathLike, png: str | os.PathLike):
        super().__init__()
        self.log_csv = pathlib.Path(log_csv)
        self.png = pathlib.Path(png)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        figure = draw_curves(read_log(self.log_csv))
        with replacing(self.png) as part:
            figure.savefig(part)


def draw_curves(log: Mapping[str, Sequence[float]]) -> Figure:
    """Draws the curves of a run.

    Args:
        log: values by column of the log, one for each epoch; `epoch` counts from 0.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    panels = [panel for panel in PANELS if any(_has_values(log, name) for name in panel[1])]
    # Epochs are shown from 1, as in Keras's output.
    epochs = [round(epoch) + 1 for epoch in log.get("epoch", ())]
    for row, (title, curves) in enumerate(panels, start=1):
        axes = figure.add_subplot(len(panels), 1, row)
        for color, (name, label) in zip(COLORS, curves.items(), strict=False):
            if _has_values(log, name):
                axes.plot(*_known(epochs, log[name]), color=color, label=label, marker=".", markersize=3, linewidth=1.5)
        if title == "mean IoU" and _has_values(log, "val_mean_iou"):
            _mark_best(axes, epochs, log["val_mean_iou"])
        _style(axes, title, is_last=row == len(panels))
    return figure


def _has_values(log, name):
    return any(map(math.isfinite, log.get(name, ())))


def _known(epochs, values):
    """Leaves out the epochs without a value, so that the line spans epochs that were not validated."""
    return zip(*((x, y) for x, y in zip(epochs, values, strict=True) if math.isfinite(y)), strict=True)


def _mark_best(axes, epochs, values):
    score, epoch = max((y, -x) for x, y in zip(*_known(epochs, values), strict=True))
    axes.plot(
        [-epoch], [score], color=COLORS[1], marker="o", linestyle="none", label=f"best: {score:.4f}, epoch {-epoch}"
    )


def _style(axes, title, is_last):
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left", fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="#dadce0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if is_last:
        axes.set_xlabel("epoch")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False)
