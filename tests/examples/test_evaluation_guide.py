"""The guide of the evaluation: its code runs, only smaller, and its commands are understood."""

import pathlib
import re
import shlex

import numpy as np
import pytest
import typer.main
from PIL import Image

import keras_hrnet
from keras_hrnet import Variant, cli
from keras_hrnet.data import synthesize

pytestmark = pytest.mark.once

GUIDE = (pathlib.Path(__file__).parents[2] / "examples" / "evaluation.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = re.findall(r"^keras-hrnet .*$", GUIDE, re.MULTILINE)
TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.mark.slow
def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthesize("data/cityscapes", num_train=0, num_val=2, num_test=0, size=(64, 128))
    for folder in ("photos", "predictions"):
        pathlib.Path(folder).mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    for path in ("street.jpg", "photos/a.png"):
        Image.fromarray(pixels).save(path)
    for truth in pathlib.Path("data").glob("**/gtFine/val/*/*_labelIds.png"):
        Image.open(truth).save(pathlib.Path("predictions", truth.name))
    names = {"TINY": TINY}
    for code in CODE:
        code = re.sub(r"HRNetW\w+\(", "HRNet(TINY, ", code)
        exec(compile(code, "evaluation.md", "exec"), names)
    assert pathlib.Path("report.html").is_file()
    assert names["scores"].average_class_score == 1.0
    assert len(names["report"].examples) == 2
    assert names["published"].protocol.num_passes == 12


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command):
    name, *arguments = shlex.split(command)[1:]
    parser = typer.main.get_command(cli.app).commands[name]
    context = parser.make_context(name, arguments)
    assert context.params


def test_every_table_of_the_guide_has_its_numbers():
    tables = re.findall(r"(?:^\|.*\n)+", GUIDE, re.MULTILINE)
    assert len(tables) == 7
    assert all(len(table.splitlines()) > 3 for table in tables)
    assert not re.search(r"^[A-Z]+$", GUIDE, re.MULTILINE)


def test_every_network_of_the_guide_is_there():
    assert all(hasattr(keras_hrnet, name) for name in re.findall(r"HRNetW\w+", GUIDE))
