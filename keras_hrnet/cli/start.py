"""The start of the libraries: imported when a command first needs them, with their chatter kept from the terminal."""

from __future__ import annotations

import contextlib
import contextvars
import os
import pathlib
import subprocess
import sys

from keras_hrnet.cli import chatter_filter

CHATTER: contextvars.ContextVar[Chatter | None] = contextvars.ContextVar("CHATTER", default=None)
"""What `start` holds back: set where the command runs in a process of its own, and not where a test calls it."""


def start() -> None:
    """Imports Keras and the whole package; a command calls it once its options are valid, and before it uses either."""
    chatter = CHATTER.get()
    if chatter is not None:
        chatter.hold_back()
    import keras_hrnet

    # The command puts the package off, and this runs its `__init__`: see `keras_hrnet_command`.
    _ = keras_hrnet.__all__


class Chatter:
    """What libraries write to stderr from C++, where no setting of Python's reaches: start-up lines and INFO.

    Their stderr goes through a process of its own (`chatter_filter`), which shows warnings and errors at once, and the
    rest only if this process crashes. Python's own stderr stays the terminal.
    TF_CPP_MIN_LOG_LEVEL=0, in the environment, shows everything.
    """

    def __init__(self) -> None:
        self._filter = self._stderr = None

    def hold_back(self) -> None:
        """Begins to hold lines back; does nothing the second time, and without a stderr."""
        if self._filter is not None or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
            return
        with contextlib.suppress(OSError):  # There is no stderr, or no further process: the lines are then shown.
            terminal = os.dup(2)
            command = [sys.executable, "-I", "-S", str(pathlib.Path(chatter_filter.__file__))]
            self._filter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=terminal)
            sys.stderr.flush()
            os.dup2(self._filter.stdin.fileno(), 2)
            self._filter.stdin.close()
            self._stderr, sys.stderr = (
                sys.stderr,
                os.fdopen(terminal, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"),
            )

    def stop(self, failed: bool) -> None:
        """Stops holding lines back.

        Args:
            failed: whether to show what was held back.
        """
        if self._stderr is None:
            return
        sys.stderr.flush()
        if not failed:
            with contextlib.suppress(OSError):  # The other process was killed.
                os.write(2, chatter_filter.ALL_WELL)
        os.dup2(sys.stderr.fileno(), 2)
        self._stderr, sys.stderr = None, self._stderr
        with contextlib.suppress(subprocess.TimeoutExpired):  # Processes that outlive this one may still write.
            self._filter.wait(timeout=2)
