"""Imports the libraries when a command first needs them, and keeps their start-up messages off the terminal."""

from __future__ import annotations

import contextlib
import contextvars
import os
import pathlib
import subprocess
import sys

from keras_hrnet.cli import chatter_filter

CHATTER: contextvars.ContextVar[Chatter | None] = contextvars.ContextVar("CHATTER", default=None)
"""The filter that `start` turns on. It is set when the command runs as a process, and not when a test calls it."""


def start() -> None:
    """Imports Keras and the whole package; a command calls it after it has validated its options."""
    chatter = CHATTER.get()
    if chatter is not None:
        chatter.hold_back()
    import keras_hrnet

    # The command defers importing the package (see `keras_hrnet_command`); this line runs its `__init__`.
    _ = keras_hrnet.__all__


class Chatter:
    """Holds back the start-up lines and INFO messages that libraries write from C++, where Python cannot silence them.

    Their stderr passes through a separate process (`chatter_filter`), which shows warnings and errors immediately, and
    the other lines only if this process crashes. Python's own stderr is not filtered. The environment variable
    TF_CPP_MIN_LOG_LEVEL=0 turns the filter off.
    """

    def __init__(self) -> None:
        self._filter = self._stderr = None

    def hold_back(self) -> None:
        """Starts the filter. It does nothing if it was called before, or if there is no stderr."""
        if self._filter is not None or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
            return
        with contextlib.suppress(OSError):  # Without stderr, or without another process, all lines are shown.
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
        """Stops the filter.

        Args:
            failed: whether to show the lines that were held back.
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
