"""The guide of the data: its code and its commands run as they stand there, only smaller."""

import pathlib
import re
import shlex

import numpy as np
import pytest
import tensorflow as tf
import typer.testing
from PIL import Image

from keras_hrnet import cli
from keras_hrnet.data import synthesize

pytestmark = pytest.mark.once

GUIDE = (pathlib.Path(__file__).parents[2] / "examples" / "data.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = re.findall(r"^(?:- )?`?(keras-hrnet data .*?)`?$", GUIDE, re.MULTILINE)
# From the size of Cityscapes to that of a test.
SMALLER = {"batch_size=12": "batch_size=2", "batch_size=8": "batch_size=2", "(512, 1024)": "(64, 128)"}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthesize("data/cityscapes", num_train=2, num_val=1, num_test=0, size=(64, 128))
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(2):
            for folder, shape in (
                (f"photos/{split}", (24, 40, 3)),
                (f"masks/{split}", (24, 40)),
                (f"data/camvid/{split}", (24, 40, 3)),
                (f"data/camvid/{split}annot", (24, 40)),
            ):
                path = pathlib.Path(folder, f"{number}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 11 if "camvid" in folder else 3, shape, dtype=np.uint8)).save(path)
    leaf, colors = rng.integers(0, 2, (24, 40)), np.uint8([(0, 0, 0), (0, 200, 0), (250, 0, 120)])
    pictures = {f"leaves/{i}.jpg": np.zeros((24, 40, 3)) for i in range(5)}
    pictures |= {f"leaves/{i}_L.png": 255 * leaf for i in range(5)}
    pictures |= {"flowers/a.png": np.zeros((24, 40, 3)), "colors/a.png": colors[rng.integers(0, 3, (24, 40))]}
    for path, pixels in pictures.items():
        pathlib.Path(path).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.mark.parametrize("code", CODE, ids=range(len(CODE)))
def test_a_code_block_runs(code):
    for large, small in SMALLER.items():
        code = code.replace(large, small)
    names = {}
    exec(compile(code, "data.md", "exec"), names)
    image, label = next(iter(names["train"]))
    assert image.shape[:3] == label.shape
    assert image.dtype == label.dtype == tf.uint8


def test_the_commands_run():
    assert len(COMMANDS) == 11
    for command in COMMANDS:
        command = command.replace("--train 80", "--train 1 --size 64x128").replace("ROOT packed", "streets packed2")
        command = command.replace("1024x2048", "64x128")
        result = typer.testing.CliRunner().invoke(cli.app, shlex.split(command)[1:])
        assert result.exit_code == 0, result.output
