import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.once, pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks")]


@pytest.mark.slow
def test_packing_killed_at_any_step_or_moment_goes_on_to_the_same_bytes(root, tmp_path):
    for image in sorted(root.rglob("*_leftImg8bit.png"))[3:]:
        image.unlink()
    (tmp_path / "out").mkdir()
    script = pathlib.Path(__file__).with_name("interrupted.py")
    command = [sys.executable, script, root, tmp_path / "out"]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    # Three records. Of each of two shards: its manifest (writing, syncing, renaming), itself (syncing, renaming), and
    # no part left. The manifest of all (writing, syncing, renaming), and that of each shard removed.
    assert result.stdout == f"{3 + 2 * (3 + 2 + 1) + 3 + 2} killed at a step\n"
