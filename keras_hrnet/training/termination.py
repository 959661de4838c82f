"""A SIGTERM that waits until a training has saved."""

import contextlib
import signal
import threading

# What shells report of a process that SIGTERM ended.
EXIT_STATUS = 128 + signal.SIGTERM


@contextlib.contextmanager
def noting_termination(note):
    """Calls a function when SIGTERM comes, in place of ending the process.

    Outside of the main thread, where Python has no say in signals, SIGTERM ends the process as before.

    Args:
        note: a function without arguments, that is quick.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: note())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
