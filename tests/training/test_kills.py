"""SIGKILL at random moments of a real process: what `examples/benchmarks/kills.py` does, with fewer kills."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "examples" / "benchmarks" / "kills.py"


@pytest.mark.once  # tests/training/test_resuming.py ends trainings between their steps on every backend.
@pytest.mark.heavy
def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one():
    environment = {**os.environ, "KERAS_BACKEND": keras.config.backend()}
    command = [sys.executable, str(SCRIPT), "--kills", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    num_runs = int(re.search(r"1 kills, \d of them while a file was written: \d of (\d) the same", done.stdout)[1])
    assert done.stdout.count("the same weights") == num_runs
