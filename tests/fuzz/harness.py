"""Gives damaged and hostile files to a reader, and says how it answered each.

A reader answers clearly if it reads the file, or raises one of the errors that its docstring names, in one line with
the file's name, within ten seconds and with little memory. All else is a fault: see `FAULTS`.
"""

import contextlib
import dataclasses
import pathlib
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence

from tests.fuzz.mutation import damage_bytes

MOST_SECONDS, MOST_WAITING = 10, 60
"""Of the processor, and of the clock, which runs on while a busy machine does other things."""

MOST_BYTES = 200e6
"""What a reader may need beside ten times the size of the file."""

READ, CLEAR = "read", "clear"
FAULTS = ("undocumented", "hang", "memory", "crash")


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader to be tried: one entry of `tests.fuzz.readers.READERS`.

    Args:
        name: what the table calls it.
        file_name: of the files that it gets, with their suffix.
        seeds: a function that makes undamaged files, as bytes; it gets an empty folder to work in.
        read: the function to try; it gets the path of a file.
        raises: the errors that its docstring names.
        damage: a function that returns damaged bytes, from those of a seed and a `random.Random`.
        hostile: a function that makes files by hand, as bytes, beside those that are damaged at random.
        suite_inputs: how many damaged files the suite tries: as many as take a second or two.
        inputs: how many damaged files `python -m tests.fuzz` tries at most; fewer where reading takes long.
    """

    name: str
    file_name: str
    seeds: Callable[[pathlib.Path], Sequence[bytes]]
    read: Callable[[pathlib.Path], object]
    raises: tuple[type[Exception], ...] = (ValueError,)
    damage: Callable[[bytes, random.Random], bytes] = damage_bytes
    hostile: Callable[[], Sequence[bytes]] = list
    suite_inputs: int = 40
    inputs: int = 10**9


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a reader answered a file: "read", "clear" or one of `FAULTS`, and the error or what else there is to say."""

    kind: str
    detail: str = ""


class Inputs:
    """The files for a reader: first the hostile ones, then damaged seeds. The same number always gives the same file.

    Args:
        reader: the reader that they are for.
        folder: one to make the seeds in.
    """

    def __init__(self, reader: Reader, folder: pathlib.Path):
        self.reader = reader
        self.hostile = list(reader.hostile())
        self.seeds = list(reader.seeds(folder))

    def __getitem__(self, number: int) -> bytes:
        if number < len(self.hostile):
            return self.hostile[number]
        generator = random.Random(f"{self.reader.name} {number - len(self.hostile)}")
        return self.reader.damage(generator.choice(self.seeds), generator)


def answer(reader: Reader, content: bytes, folder: pathlib.Path) -> Answer:
    """Gives a file to a reader, in this process."""
    path = folder / reader.file_name
    path.write_bytes(content)
    begin, before = time.process_time(), _start_peak()
    try:
        with _alarm():
            reader.read(path)
        found = Answer(READ)
    except _Hang:
        return Answer("hang", f"more than {MOST_WAITING} s")
    except reader.raises as error:
        found = _judge(error, path)
    except Exception as error:  # noqa: BLE001 (whatever it raises is what is asked for)
        found = Answer("undocumented", f"{type(error).__name__}: {error}")
    if (seconds := time.process_time() - begin) > MOST_SECONDS:
        return Answer("hang", f"{seconds:.1f} s of the processor")
    if (needed := _peak() - before) > MOST_BYTES + 10 * len(content):
        return Answer("memory", f"{needed / 1e6:.0f} MB for a file of {len(content)} bytes")
    return found


def _judge(error, path):
    text = str(error)
    if path.name not in text:
        return Answer("undocumented", f"does not name the file: {type(error).__name__}: {text}")
    if "\n" in text:
        return Answer("undocumented", f"several lines: {type(error).__name__}: {text}")
    return Answer(CLEAR, f"{type(error).__name__}: {text}")


class _Hang(BaseException):
    """No reader catches it."""


@contextlib.contextmanager
def _alarm():
    """Stops what runs too long, where that is Python's; `tests.fuzz.__main__` ends the process of anything else."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise _Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MOST_WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _start_peak():
    """Makes Linux count the peak of this process's memory anew; returns the memory in use, in bytes."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak():
    return _status("VmHWM")


def _status(name):
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    except OSError:  # Only Linux tells.
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
