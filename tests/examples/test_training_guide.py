"""The guide of the training: its code and its commands run, only smaller, and its table is that of the recipes."""

import dataclasses
import pathlib
import re
import shlex

import keras
import numpy as np
import pytest
import typer.testing
from PIL import Image

import keras_hrnet
from keras_hrnet import Variant, cli
from keras_hrnet.data import synthesize
from keras_hrnet.training import RECIPES
from keras_hrnet.training.choices import MOST_IMAGES

pytestmark = pytest.mark.once

GUIDE = (pathlib.Path(__file__).parents[2] / "examples" / "training.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = re.findall(r"^keras-hrnet train .*$", GUIDE, re.MULTILINE)
TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
SMALLER = {
    'RECIPES["cityscapes_ocr"]': 'dataclasses.replace(RECIPES["cityscapes_ocr"], batch_size=2, crop_size=(64, 64))',
    'RECIPES["from_scratch"]': 'dataclasses.replace(RECIPES["from_scratch"], updates=1, repeats=1)',
    "HRNetW48(": "HRNet(TINY, ",
    "HRNetW18Small(": "HRNet(TINY, ",
    "HRNetW18SmallV2(": "HRNet(TINY, ",
    "epochs=484": "epochs=1",
}


@pytest.mark.heavy
def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthesize("data/cityscapes", num_train=2, num_val=1, num_test=0, size=(64, 128))
    for i in range(5):
        for folder, pixels in (("photos", np.full((32, 32, 3), 99)), ("masks", np.arange(1024).reshape(32, 32) % 3)):
            pathlib.Path(folder).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype("uint8")).save(f"{folder}/{i}.png")
    names = {"dataclasses": dataclasses, "TINY": TINY}
    for code in CODE:
        for large, small in SMALLER.items():
            code = code.replace(large, small)
        exec(compile(code, "training.md", "exec"), names)
    assert (tmp_path / "runs" / "ocr" / "best.keras").is_file()
    assert isinstance(names["model"], keras.Model)
    assert names["model"].loss.min_kept == 131072


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--repeat" not in command])
def test_a_command_is_understood(command):
    result = typer.testing.CliRunner().invoke(cli.app, [*shlex.split(command)[1:], "--show"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", RECIPES)
def test_a_row_of_the_table_is_the_recipe(name):
    recipe = RECIPES[name]
    (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", GUIDE, re.MULTILINE)
    _, crop, batch, epochs, numbers, _ = (cell.strip() for cell in row.split("|"))
    assert crop == ("x".join(map(str, recipe.crop_size)) if recipe.crop_size else "from the images")
    assert int(batch.split(",")[0]) == (recipe.batch_size or MOST_IMAGES)
    assert epochs == (str(recipe.epochs) if recipe.epochs else f"{recipe.updates} updates")
    assert ("AdamW" in numbers) == (recipe.optimizer == "adamw")
    assert numbers == "the same" or float(numbers.split(",")[0]) == recipe.learning_rate


def test_every_network_of_the_guide_is_there():
    assert all(hasattr(keras_hrnet, name) for name in re.findall(r"HRNetW\w+", GUIDE))
