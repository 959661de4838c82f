"""How long a run will take still."""

import time


class TimeLeft:
    """Estimates the rest of a run from its own pace: of the steps, and of what comes between two epochs.

    The first step is left out, as it compiles; validation, pictures and checkpoints count as they took on average.

    Args:
        clock: a function that gives a time in seconds.
    """

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.mark = None
        self.num_steps = None
        self.seconds_of_steps = 0.0
        self.num_epochs = 0
        self.seconds_between = 0.0

    def begin_epoch(self):
        """Notes that the steps of an epoch begin now."""
        self.mark = self.clock()

    def end_steps(self, num_steps):
        """Notes that so many further steps end now."""
        now = self.clock()
        if self.num_steps is None:
            self.num_steps = 0
        else:
            self.num_steps += num_steps
            self.seconds_of_steps += now - self.mark
        self.mark = now

    def end_epoch(self):
        """Notes that what follows the steps of an epoch ends now."""
        self.num_epochs += 1
        self.seconds_between += self.clock() - self.mark

    def seconds(self, num_steps, num_epochs):
        """Returns the time left in seconds, or None if there is no telling yet.

        Args:
            num_steps: how many steps there are still.
            num_epochs: how many epochs have not ended.
        """
        if not self.num_steps:
            return None
        steps = num_steps * self.seconds_of_steps / self.num_steps
        return steps + num_epochs * self.seconds_between / max(self.num_epochs, 1)
