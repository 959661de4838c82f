"""The quick start: its commands and its code run as they stand there, only smaller; the Korean one has the same."""

import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import typer.testing
from PIL import Image

from keras_hrnet import cli

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).parents[2]
GUIDE = (ROOT / "examples" / "quickstart.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "examples" / "quickstart.ko.md").read_text(encoding="utf-8")
BLOCKS = r"```(\w+)\n(.*?)```"
SMALLER = {
    "--network HRNetW18Small": "--network small.keras --set updates=1 --set repeats=1",
    "352x480": "32x64",
    "examples/on_device": str(ROOT / "examples" / "on_device"),
    "python ": f"{shlex.quote(sys.executable)} ",
}


@pytest.fixture
def _photos(tmp_path, monkeypatch, small_network):
    monkeypatch.chdir(tmp_path)
    small_network(3).save("small.keras")
    generator = np.random.default_rng(0)
    for folder in ("photos", "masks", "new_photos"):
        pathlib.Path(folder).mkdir()
    for i in range(1, 11):
        labels = generator.integers(0, 3, (4, 8), dtype="uint8").repeat(8, axis=0).repeat(8, axis=1)
        photo = (80 * labels[..., None] + generator.integers(0, 64, (32, 64, 3))).astype("uint8")
        Image.fromarray(photo).save(f"photos/{i:03}.jpg")
        Image.fromarray(labels).save(f"masks/{i:03}.png")
    Image.fromarray(photo).save("new_photos/001.jpg")


@pytest.mark.slow
@pytest.mark.usefixtures("_photos")
def test_every_command_and_the_code_run():
    for language, text in re.findall(BLOCKS, GUIDE, re.DOTALL):
        for large, small in SMALLER.items() if language == "bash" else ():
            text = text.replace(large, small)
        if language == "python":
            exec(compile(text, "quickstart.md", "exec"), {})
        for line in text.replace("\\\n", "").splitlines() if language == "bash" else ():
            run(line)
    written = {path.name for path in pathlib.Path().iterdir()}
    assert written >= {"report.html", "new_photos_segmented", "flowers.tflite", "flowers_int8.tflite"}
    assert {"best.keras", "curves.png"} <= {path.name for path in pathlib.Path("runs", "flowers").iterdir()}
    assert pathlib.Path("new_photos", "001_segmented.png").is_file()


def run(command):
    if command.startswith("keras-hrnet"):
        result = typer.testing.CliRunner().invoke(cli.app, shlex.split(command)[1:])
        assert result.exit_code == 0, (command, result.output, result.exception)
    elif not command.startswith("pip install"):
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)


def test_the_korean_quick_start_has_the_same_blocks():
    assert re.findall(BLOCKS, KOREAN, re.DOTALL) == re.findall(BLOCKS, GUIDE, re.DOTALL)


def test_the_korean_quick_start_has_the_same_sections_and_links():
    for pattern in (r"^(#+) ", r"\]\(([^)]*)\)"):
        ours, theirs = (re.findall(pattern, text, re.MULTILINE) for text in (KOREAN, GUIDE))
        own = {"quickstart.md", "quickstart.ko.md"}
        assert sorted(x for x in ours if x not in own) == sorted(x for x in theirs if x not in own)
