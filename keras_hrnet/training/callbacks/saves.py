"""Saves a run in the middle of an epoch, and resumes it from there."""

import math
import os
import pathlib
import signal
import time
import warnings
from collections.abc import Callable, Collection
from typing import NamedTuple

import keras
import rich.console

from keras_hrnet.training.callbacks.divergence import ADVICE
from keras_hrnet.training.callbacks.full_disk import reporting_full_disk
from keras_hrnet.training.state import TrainingState, read_state, set_generators, write_state
from keras_hrnet.training.termination import NAMES, stop


class Position(NamedTuple):
    """The progress of a run.

    Args:
        epoch: number of complete epochs.
        step: number of steps of the next epoch that are done.
        seconds: duration of the run so far.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"step {self.step} of epoch {self.epoch + 1}"


class Saves(keras.callbacks.Callback):
    """Saves everything that is needed to resume a run, and restores it, so that the run ends with the same weights.

    Place it last, so that all other files of an epoch are written before the epoch is recorded as complete. An epoch
    that is resumed in its middle has a `fit` of its own, over the rest of the data; `continues` is then set, because
    another `fit` must follow. Metrics keep their counts, so that the logs of that epoch cover all of its steps. Set
    `keeps_iterator` before a `fit` whose data has a single iterator for all epochs.

    Args:
        path: the file, `.npz`.
        state: the state of the run.
        num_steps: number of steps of an epoch.
        num_epochs: number of epochs of the run.
        minutes: minutes between saves; 0 saves after each step.
        validated_epochs: numbers of the epochs, from 1, after which the network is validated; None validates each.
        stop_on_full_disk: whether to stop when the disk is full, instead of printing a warning.
        run_id: text that identifies the run; a save of another run is refused. None accepts any save.
        clock: a function that returns a time in seconds.

    Raises:
        OSError: out of `fit`, if the disk is full and `stop_on_full_disk` is set, or for another reason.
        RuntimeError: out of `fit`, if a weight to save is NaN or infinite.
        SystemExit: out of `fit`, with status 143, after `terminate` by SIGTERM.
        KeyboardInterrupt: out of `fit`, after `terminate` by Ctrl-C.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        state: TrainingState,
        num_steps: int,
        num_epochs: int,
        *,
        minutes: float = 10.0,
        validated_epochs: Collection[int] | None = None,
        stop_on_full_disk: bool = False,
        run_id: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__()
        self.path = pathlib.Path(path)
        self.state = state
        self.num_steps = num_steps
        self.num_epochs = num_epochs
        self.minutes = minutes
        self.validated_epochs = validated_epochs
        self.stop_on_full_disk = stop_on_full_disk
        self.run_id = run_id
        self.clock = clock
        self.position = Position()
        self.last = None
        self.arrays = None
        self.before_last_step = None
        self.continues = True
        self.keeps_iterator = False
        self.terminated_by = None
        self.stop_message = None

    def read(self) -> Position | None:
        """Reads the last save, if there is one, for the next `fit`.

        Raises:
            ValueError: if it is damaged, or belongs to another run or network.
        """
        if not self.path.is_file():
            return None
        arrays, position = read_state(self.path)
        try:
            self.position = self.last = self._checked(position)
            self.state.check(arrays)
        except ValueError as error:
            raise ValueError(f"{str(self.path)!r} does not match this run. {error}") from error
        self.arrays = arrays
        return self.position

    def _checked(self, position):
        # Saves of earlier versions do not name their run.
        theirs = position.get("run")
        if None not in (theirs, self.run_id) and theirs != self.run_id:
            raise ValueError(
                "Received the save of a run with other settings, data or initial weights. Expected that of the run of "
                "this folder. Restore it from a copy of this folder, or delete it to start over."
            )
        seconds = position.get("seconds")
        counts = [position.get("epoch"), position.get("step")]
        are_numbers = all(type(count) is int for count in counts) and type(seconds) in (int, float)
        bounds = zip((*counts, seconds), (self.num_epochs, self.num_steps, math.inf), strict=True)
        if not are_numbers or not all(0 <= number < bound for number, bound in bounds):
            raise ValueError(
                f"Received the position {position}. Expected one within {self.num_epochs} epochs of {self.num_steps} "
                "steps. Restore the file from a copy, or delete it to start over."
            )
        return Position(*counts, float(seconds))

    def terminate(self, received: signal.Signals) -> None:
        """Requests a save and the end of the process after the current step."""
        self.terminated_by = received
        if received == signal.SIGINT:
            self.report("Saving after this step. Press Ctrl-C again to stop without saving.")

    @property
    def seconds(self) -> float:
        """Duration of the run in seconds, including the time before it was interrupted."""
        return self.position.seconds + self.clock() - self.started

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.started = self.saved = self.clock()
        self.continues = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        # Keras has just reset the metrics.
        if self.arrays is not None:
            self.state.put(self.arrays, counts=self.position.step > 0)
            if self.position.step == 0 and not self.keeps_iterator:
                self._set_generators()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self.arrays is not None:
            self._set_generators()
        is_validated = self.validated_epochs is None or self.position.epoch + 1 in self.validated_epochs
        if is_validated and self.minutes < math.inf and self.position.step + batch == self.num_steps - 1:
            # Keras cannot run an epoch without steps, so a save during validation holds the state before the last step.
            self.before_last_step = self.state.take()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self.position.step + batch + 1
        if step == self.num_steps:
            self._stop_before_validation()
        elif self.terminated_by or self._is_due():
            self._save(self.state.take(), self.position.epoch, step)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._stop_before_validation()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        is_rest = self.position.step > 0
        self.before_last_step = None
        self.position = Position(epoch + 1, 0, self.seconds)
        self.started = self.clock()
        if epoch + 1 == self.num_epochs or self.model.stop_training:
            return
        if self.terminated_by or self._is_due():
            self._save(self.state.take(), epoch + 1, 0)
        if is_rest:
            # At the end of `fit`, the averaged weights replace the trained ones, with which the run must continue.
            self.arrays = self.state.take()
            self.continues = self.model.stop_training = True

    def _set_generators(self):
        # On PyTorch, an iterator draws a number from the generator when it starts. If each epoch starts an iterator,
        # the state was saved before that draw; otherwise, it was saved after it.
        set_generators(self.arrays)
        self.arrays = None

    def _is_due(self):
        return self.clock() - self.saved >= 60 * self.minutes

    def _stop_before_validation(self):
        if self.terminated_by and self.before_last_step is not None:
            self._save(self.before_last_step, self.position.epoch, self.num_steps - 1)

    def _save(self, arrays, epoch, step):
        position = Position(epoch, step, self.seconds)
        # A finite loss may have a gradient that is not finite, and the next loss may hide it, because some ReLUs turn
        # NaN into 0.
        if not self.state.is_finite(arrays):
            raise RuntimeError(
                f"Received weights that are NaN or infinite after {position}. Expected finite numbers. "
                f"{self._last_save()} {ADVICE}"
            )
        if self.last is not None and not self.path.is_file():
            warnings.warn(
                f"{str(self.path)!r} was deleted during the run, and is written again. If the whole folder was "
                "deleted, its files cover only the rest of the run, and the best network of earlier epochs is lost.",
                stacklevel=2,
            )
        with reporting_full_disk(f"saving {position} to {str(self.path)!r}", self.stop_on_full_disk):
            write_state(self.path, arrays, {**position._asdict(), "run": self.run_id})
            self.last = position
        self.saved = self.clock()
        if self.terminated_by:
            name = NAMES[self.terminated_by]
            self.stop_message = f"Stopped by {name}. {self._last_save()} The same command resumes from there."
            stop(self.terminated_by)

    def report(self, text: str) -> None:
        """Prints a message for the person at the terminal."""
        rich.console.Console(stderr=True).print(text, soft_wrap=True, markup=False, highlight=False)

    def _last_save(self):
        return (
            "Nothing is saved."
            if self.last is None
            else f"{str(self.last).capitalize()} is saved in {str(self.path)!r}."
        )
