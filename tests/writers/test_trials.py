"""The trials of writers recognize faults, and a real command is killed."""

import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs process descriptors, which only Linux has"),
]

# It runs in a separate process, which has no threads when it is forked, and does not import the package.
CODE = """
import json, pathlib, random, sys, tempfile, time
from tests.writers import trials
from tests.writers.commands import Writer

def write(path):
    with open(path, "wb", buffering=0) as file:
        for _ in range(10):
            file.write(bytes(1000))
            time.sleep(0.002)

def command(words):
    name, out = words[0], pathlib.Path(words[1])
    if name == "half":
        write(out / "a.bin")
    elif name == "lost":
        (out / "a.bin").unlink(missing_ok=True)
        write(out / ".a.bin")
        (out / ".a.bin").rename(out / "a.bin")
    elif name in ("litter", "right"):
        for path in out.glob(".*") if name == "right" else ():
            path.unlink()
        part = out / f".{random.SystemRandom().random()}"
        try:
            write(part)
        except OSError as error:
            part.unlink()
            print(f"Error: '{out}/a.bin' cannot be written ({error.strerror}).")
            raise SystemExit(1)
        part.rename(out / "a.bin")
    else:
        (out / "a.bin").write_bytes(b"earlier")

trials.run_command = command
found = {}
for name in ("right", "half", "lost", "litter"):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tried = trials.Trials(name, Writer(f"{name} {{out}}", f"earlier {{out}}"), folder, folder, lambda line: None)
        kills = tried.kills(8, random.Random(0))
        found[name] = [kills, tried.full_disks([0.2, 0.7], mounts=False)]
print(json.dumps(found))
"""


def test_a_fault_is_told_from_what_is_right():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    kills, disks = found["right"]
    assert (kills["tried"], kills["whole"], disks) == (8, 8, {"tried": 2, "clear": 2})
    assert kills["killed while a file was open"] > 0
    assert not kills.keys() & {"half", "lost", "other result", "litter"}
    assert found["half"][0]["half"] > 0
    assert found["half"][1]["unclear"] == 2
    assert found["lost"][0]["lost"] > 0
    assert found["litter"][0]["litter"] > 0
    assert found["litter"][1]["clear"] == 2


@pytest.mark.slow
def test_streets_that_are_killed_are_drawn_by_the_next_run():
    command = [sys.executable, "-m", "tests.writers", "--writers", "data synthesize", "--kills", "3", "--disks", "2"]
    done = subprocess.run([*command, "--limit"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\| data synthesize \| 3 \| 3 \| 0 \| 0 \| 0 \| 0 \|", done.stdout)
