"""One training a folder: a second process is told, and a lock does not outlive its process."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from keras_hrnet.training import lock
from keras_hrnet.training.lock import locked

pytestmark = pytest.mark.once

# Without the package around it, whose import takes seconds.
CODE = f"""
import runpy, sys, time
locked = runpy.run_path({str(pathlib.Path(lock.__file__))!r})["locked"]
with locked(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_second_of_two_processes_is_told_which_the_first_is(tmp_path):
    with locked(tmp_path), start(tmp_path) as second:
        _, error = second.communicate()
    assert second.returncode == 1
    assert f"run_dir={str(tmp_path)!r}, in which process {os.getpid()} trains. Expected a folder that no" in error


def test_a_killed_process_leaves_no_lock(tmp_path):
    with start(tmp_path) as first:
        assert first.stdout.readline() == "locked\n"
        with pytest.raises(BlockingIOError, match=f"in which process {first.pid} trains"), locked(tmp_path):
            pass
        first.send_signal(signal.SIGKILL)
        first.wait()
    with locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_full_disk_does_not_matter_to_the_lock(tmp_path):
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n" + CODE
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "locked\n"
        with pytest.raises(BlockingIOError, match=r"in which process \? trains"), locked(tmp_path):
            pass
        first.kill()


def test_a_worker_that_outlives_a_killed_process_holds_no_lock(tmp_path):
    code = CODE.replace('print("locked"', 'import os; child = os.fork(); child and print("locked", child')
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as first:
        child = int(first.stdout.readline().split()[1])
        first.send_signal(signal.SIGKILL)
        first.wait()
        try:
            with locked(tmp_path):
                os.kill(child, 0)  # it lives
        finally:
            os.kill(child, signal.SIGKILL)
