"""Delays the effect of SIGTERM and Ctrl-C until a run has been saved."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator

NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}


@contextlib.contextmanager
def noting_termination(note: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Calls a function when SIGTERM or Ctrl-C arrives, instead of ending the process; a second Ctrl-C ends it.

    Outside the main thread, Python cannot handle signals, so they end the process as usual. A signal that the process
    ignores, for example because a shell runs it in the background, is still ignored.

    Args:
        note: the function, which receives the signal and must return immediately.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}

    def handle(number, _):
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, _or_default(before[signal.SIGINT]))
        note(signal.Signals(number))

    for each in NAMES:
        if signal.getsignal(each) != signal.SIG_IGN:
            before[each] = signal.signal(each, handle)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, _or_default(handler))


def stop(received: signal.Signals) -> None:
    """Ends the process as the signal would have ended it.

    Raises:
        SystemExit: after SIGTERM, with status 143, as shells report it.
        KeyboardInterrupt: after Ctrl-C.
    """
    if received == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + received)


def _or_default(handler):
    return signal.SIG_DFL if handler is None else handler
