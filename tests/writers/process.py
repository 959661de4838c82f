"""Runs the command in a copy of this process, which has imported everything, so that it starts immediately.

The copy reports each change of a file below a folder before it happens, by Python's audit hooks: files that are opened
for writing, renamed or removed, and folders that are made. `Running.kill_at` therefore kills between two changes, and
`Running.kill_after` at any moment, such as in the middle of a write.
"""

import contextlib
import dataclasses
import os
import pathlib
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence

CHANGES = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
MOST_SECONDS = 300


@dataclasses.dataclass
class Ended:
    """The end of a process.

    Args:
        status: its exit status, or the negative number of the signal that ended it.
        seconds: duration of the process, in seconds.
        changes: the seconds from its start to each change below the folder.
        text: its standard output and standard error.
    """

    status: int
    seconds: float
    changes: list[float]
    text: str


class Running:
    """A function that runs in a separate process, whose standard output and error go to a file.

    Args:
        function: the function.
        watched: the folder whose changes are reported.
        log: the file for the output of the process.
        hold_at: the number of the change, from 1, before which the process waits to be killed.
    """

    def __init__(
        self, function: Callable[[], None], watched: pathlib.Path, log: pathlib.Path, hold_at: int | None = None
    ):
        self._log, self._changes, self._begun = log, [], time.monotonic()
        self._pipe, ours = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._process = os.fork()
        if not self._process:
            os.close(self._pipe)
            _work(function, watched, log, ours, hold_at)
        os.close(ours)
        self._exit = os.pidfd_open(self._process)

    def wait(self) -> Ended:
        """Waits for the end of the process."""
        self.look(MOST_SECONDS)
        return self._end()

    def kill_after(self, seconds: float) -> Ended:
        """Kills the process after some seconds, unless it ends before."""
        self.look(seconds)
        return self._end()

    def kill_at(self, change: int, seconds: float) -> Ended:
        """Kills the process some seconds after it has reported a change, counted from 1."""
        self.look(MOST_SECONDS, change)
        self.look(self.seconds + seconds)
        return self._end()

    @property
    def seconds(self) -> float:
        """The time since the start of the process."""
        return time.monotonic() - self._begun

    def look(self, until: float, change: int | None = None) -> bool:
        """Reads reports until the process ends, some seconds from its start, or the report of a change.

        Returns:
            Whether the process has ended.
        """
        files = [self._exit, self._pipe]
        while (left := until - self.seconds) > 0:
            if change is not None and len(self._changes) >= change:
                return False
            ready = select.select(files, [], [], left)[0]
            if self._pipe in ready:
                reports = os.read(self._pipe, 1 if change else 4096)
                self._changes += [self.seconds] * len(reports)
                if not reports:
                    files.remove(self._pipe)
            elif self._exit in ready:
                return True
        return False

    def _end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)
        _, status = os.waitpid(self._process, 0)
        seconds = self.seconds
        os.close(self._pipe)
        os.close(self._exit)
        text = self._log.read_text(errors="replace")
        return Ended(os.waitstatus_to_exitcode(status), seconds, self._changes, text)


def run_command(arguments: Sequence[str]) -> None:
    """Runs the command in this process, as `keras-hrnet` does."""
    from keras_hrnet.cli import main

    sys.argv = ["keras-hrnet", *arguments]
    main()


def _work(function, watched, log, pipe, hold_at):
    """Calls a function and then ends the process, which must not continue the work of the original process."""
    status = 1
    try:
        os.setsid()
        null, file = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for ours, theirs in ((null, 0), (file, 1), (file, 2)):
            os.dup2(ours, theirs)
        _report_changes(f"{watched}/", pipe, hold_at)
        function()
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:  # noqa: BLE001 (the copy must not continue in the code of its parent)
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # Without the exit functions that the parent has registered.


def _report_changes(below, pipe, hold_at):
    count = 0

    def hook(event, arguments):
        nonlocal count
        if event not in CHANGES or (event == "open" and not (arguments[2] or 0) & WRITING):
            return
        path = arguments[0]
        if isinstance(path, int) or not os.fsdecode(path).startswith(below):
            return
        count += 1
        os.write(pipe, b".")
        if count == hold_at:
            time.sleep(MOST_SECONDS)

    sys.addaudithook(hook)
