import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs `os.fork` to kill copies of this process"),
]


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
    # Three records. Of each of two shards: its manifest (writing, syncing, renaming, removing the part), and itself
    # (syncing, renaming, removing the part). The manifest of all (as that of a shard), and of each shard three names
    # removed: its manifest, and what an earlier version may have left of both.
    assert result.stdout == f"{3 + 2 * (4 + 3) + 4 + 2 * 3} killed at a step\n"
