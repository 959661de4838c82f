import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize("verb", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(verb):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *verb, "--no-cache", "keras_hrnet", "tests", "examples"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_file_is_short_enough_to_read_at_once():
    long = [path.name for path in (ROOT / "keras_hrnet").rglob("*.py") if len(path.read_text().splitlines()) > 350]
    assert not long
