"""A SIGTERM that waits until a training has saved."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

# What shells report of a process that SIGTERM ended.
EXIT_STATUS = 128 + signal.SIGTERM


@contextlib.contextmanager
def noting_termination(note: Callable[[], None]) -> Iterator[None]:
    """Calls a function when SIGTERM arrives, instead of ending the process.

    Outside of the main thread, where Python cannot handle signals, SIGTERM ends the process as before.

    Args:
        note: a function that returns at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: note())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
