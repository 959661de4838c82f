"""Shows a single progress bar for all epochs of `fit`."""

import datetime
import math
import weakref
from collections.abc import Callable, Iterator

import keras
import rich.console
import rich.progress
import rich.text

from keras_hrnet.training.callbacks.time_left import TimeLeft

SCORE = "val_mean_iou"
# The entries of the logs that are shown, in this order.
VALUES = ("loss", "mean_iou", "val_loss", SCORE)


class TrainingProgress(keras.callbacks.Callback):
    """Shows a progress bar for all steps of a run: epoch, step, time left, loss, mean IoU, last and best validation.

    Steps that were done before the run was resumed are counted. The time left covers the whole run with its
    validations. If the output is not a terminal, one line is written for each epoch. Use it with `fit(verbose=0)`.

    If `fit` raises an error, the bar stays until `close` is called or Python exits, because Keras does not notify its
    callbacks.

    Args:
        description: the label of the bar.
        console: the console to write to. None means standard output.
        num_steps: number of steps of an epoch; None determines it from `fit`.
        num_done: a function that returns the number of steps of the first epoch that were done by an earlier `fit`.

    Example:

    ```python
    model.fit(train, validation_data=val, epochs=484, verbose=0, callbacks=[TrainingProgress()])
    ```
    """

    def __init__(
        self,
        description: str = "Training",
        console: rich.console.Console | None = None,
        num_steps: int | None = None,
        num_done: Callable[[], int] = int,
    ):
        super().__init__()
        self.num_steps, self.num_done = num_steps, num_done
        self.description = description
        self.console = console or rich.console.Console()
        self.progress = None
        self.validated, self.steps_of_validation = 0, None

    def close(self) -> None:
        """Stops the bar: its last state stays on the screen, and the cursor is shown again."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.close()
        self.time_left = TimeLeft()
        self.steps_of_epoch = self.num_steps or self.params.get("steps")
        self.before, self.epoch, self.step, self.epochs_left = self.num_done(), 0, 0, 0
        self.logs, self.best = {}, None
        if self.console.is_terminal or self.console.is_jupyter:
            self._open()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch, self.step, self.epochs_left = epoch, self.before, self.params["epochs"] - epoch
        self.time_left.begin_epoch()
        self._show()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self.before + batch + 1
        self.time_left.end_steps(step - self.step)
        self.step = step
        self.logs.update(logs)
        self._show()

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._show("validating")

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.validated = batch + 1
        total = f"/{self.steps_of_validation}" if self.steps_of_validation else ""
        self._show(f"validating {self.validated}{total}")

    def on_test_end(self, logs: dict | None = None) -> None:
        self.steps_of_validation = self.validated

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.time_left.end_epoch()
        self.epochs_left -= 1
        self.steps_of_epoch, self.before = self.step, 0
        self.logs.update(logs)
        score = self.logs.get(SCORE, math.nan)
        if not math.isnan(score) and (self.best is None or score > self.best[0]):
            self.best = (score, epoch)
        if self.progress is None:
            self.console.print(self._line(), soft_wrap=True, highlight=False, markup=False)
        self._show()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.close()

    def _open(self):
        columns = (
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=None),
            rich.progress.TextColumn("{task.fields[steps]}"),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("{task.fields[left]}"),
        )
        self.progress = _BarOverValues(*columns, console=self.console, expand=True)
        self.task = self.progress.add_task(self.description, total=None, steps="", left="", below="")
        self.progress.start()
        # Unless the bar is stopped, the cursor stays hidden.
        weakref.finalize(self, self.progress.stop)

    def _show(self, activity=None):
        if self.progress is None:
            return
        done, total = self._steps()
        self.progress.update(
            self.task,
            description=f"{self.description} {self._epoch()}",
            completed=done,
            total=total,
            steps=f"{done}/{total or '?'}",
            left=self._left(),
            below="  ".join(filter(None, (activity, self._values()))),
        )

    def _line(self):
        done, total = self._steps()
        return "  ".join(filter(None, (self._epoch(), f"step {done}/{total}", self._left(), self._values())))

    def _values(self):
        best = "" if self.best is None else f"  best {self.best[0]:.4f} (epoch {self.best[1] + 1})"
        return "  ".join(f"{name} {self.logs[name]:.4f}" for name in VALUES if name in self.logs) + best

    def _epoch(self):
        return f"epoch {self.epoch + 1}/{self.params['epochs']}"

    def _steps(self):
        """Returns the number of steps that are done, and the number of steps of the run, or None if it is unknown."""
        if self.steps_of_epoch is None:
            return self.step, None
        return self.epoch * self.steps_of_epoch + self.step, self.params["epochs"] * self.steps_of_epoch

    def _left(self):
        """Returns the time left; at the end, it is empty, because only the elapsed time is shown then."""
        done, total = self._steps()
        if done == total and not self.epochs_left:
            return ""
        seconds = None
        if total is not None:
            seconds = self.time_left.seconds(total - done, self.epochs_left)
        return f"{'-:--:--' if seconds is None else datetime.timedelta(seconds=round(seconds))} left"


class _BarOverValues(rich.progress.Progress):
    """A bar with the current values of the run below it."""

    def get_renderables(self) -> Iterator[rich.console.RenderableType]:
        yield from super().get_renderables()
        for task in self.tasks:
            yield rich.text.Text(task.fields["below"], no_wrap=True, overflow="ellipsis")
