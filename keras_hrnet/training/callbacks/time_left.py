"""Estimates the remaining time of a run."""

import time
from collections.abc import Callable


class TimeLeft:
    """Estimates the remaining time of a run from its speed so far, separately for steps and for work between epochs.

    The first step is left out, because it includes compilation. For validation, pictures and checkpoints, their mean
    time is used.

    Args:
        clock: a function that returns a time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self.mark = None
        self.num_steps = None
        self.seconds_of_steps = 0.0
        self.num_epochs = 0
        self.seconds_between = 0.0

    def begin_epoch(self) -> None:
        """Records that the steps of an epoch begin now."""
        self.mark = self.clock()

    def end_steps(self, num_steps: int) -> None:
        """Records that this many more steps end now."""
        now = self.clock()
        if self.num_steps is None:
            self.num_steps = 0
        else:
            self.num_steps += num_steps
            self.seconds_of_steps += now - self.mark
        self.mark = now

    def end_epoch(self) -> None:
        """Records that the work after the steps of an epoch ends now."""
        self.num_epochs += 1
        self.seconds_between += self.clock() - self.mark

    def seconds(self, num_steps: int, num_epochs: int) -> float | None:
        """Returns the estimated seconds for a number of steps and of ends of epochs; None if it is not known yet."""
        if not self.num_steps:
            return None
        steps = num_steps * self.seconds_of_steps / self.num_steps
        return steps + num_epochs * self.seconds_between / max(self.num_epochs, 1)
