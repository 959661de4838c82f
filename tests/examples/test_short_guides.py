"""The short guides: their code runs, only smaller, and what they name and quote is that of the package."""

import ast
import dataclasses
import functools
import importlib
import pathlib
import re
import shlex

import numpy as np
import pytest
import typer.main
from PIL import Image

import keras_hrnet
from keras_hrnet import Variant, cli
from keras_hrnet.checkpoints import naming, published_weights
from keras_hrnet.data import synthesize
from keras_hrnet.models import VARIANTS, cost
from keras_hrnet.training import RECIPES

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).parents[2]
NAMES = ("quickstart", "fine_tuning", "choosing", "cityscapes", "troubleshooting", "migrating")
GUIDES = {name: (ROOT / "examples" / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
# From the size of Cityscapes to that of a test, and to files that are there.
SMALLER = {
    'RECIPES["cityscapes_ocr"]': 'dataclasses.replace(RECIPES["cityscapes_ocr"], batch_size=2, crop_size=(64, 64))',
    'RECIPES["fine_tuning"]': 'dataclasses.replace(RECIPES["fine_tuning"], updates=1, repeats=1, norm_batches=1)',
    "epochs=484": "epochs=1",
    "hrnet_cs_8090_torch11.pth": "checkpoint.pth",
}
APP = typer.main.get_command(cli.app)


def code_of(name):
    return re.findall(r"```python\n(.*?)```", GUIDES[name], re.DOTALL)


def commands_of(name):
    return re.findall(r"(?:^|`)(keras-hrnet [a-z][^`\n]*)", GUIDES[name].replace("\\\n", ""), re.MULTILINE)


@functools.cache
def options():
    """Lists the options of all commands."""
    commands = [*APP.commands.values()]
    commands += [nested for command in commands for nested in getattr(command, "commands", {}).values()]
    return {
        name for command in commands for option in command.params for name in (*option.opts, *option.secondary_opts)
    }


@functools.cache
def texts():
    """Joins all strings of the package, as errors are made of."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "keras_hrnet").rglob("*.py")]
    found = [x.value for tree in trees for x in ast.walk(tree) if isinstance(x, ast.Constant)]
    return "\n".join(text for text in found if isinstance(text, str))


@pytest.fixture
def _small_data(tmp_path, monkeypatch, published_file):
    monkeypatch.chdir(tmp_path)
    synthesize("data/cityscapes", num_train=2, num_val=1, num_test=0, size=(64, 128))
    for folder in ("photos", "masks"):
        pathlib.Path(folder).mkdir()
    for i in range(5):
        Image.fromarray(np.full((32, 32, 3), 40 * i, "uint8")).save(f"photos/{i}.png")
        Image.fromarray((np.arange(1024).reshape(32, 32) % 3).astype("uint8")).save(f"masks/{i}.png")
    weights = {naming.name_of(x.path): np.array(x) for x in keras_hrnet.HRNet(TINY, num_classes=19).weights}
    published_file(
        {name: x.transpose(3, 2, 0, 1) if x.ndim == 4 else x for name, x in weights.items()}, "checkpoint.pth"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("_small_data")
@pytest.mark.parametrize("guide", ["fine_tuning", "cityscapes", "migrating"])
def test_the_code_of_a_guide_runs(guide):
    names = {"TINY": TINY, "dataclasses": dataclasses}
    for code in code_of(guide):
        code = re.sub(r"HRNetW\w+\(", "HRNet(TINY, ", code)
        for large, small in SMALLER.items():
            code = code.replace(large, small)
        exec(compile(code, f"{guide}.md", "exec"), names)
    if guide != "migrating":
        assert list(pathlib.Path("runs").glob("*/last.keras"))
    if guide != "cityscapes":
        assert len(names["report"].loaded) > 100


@pytest.mark.parametrize(
    ("guide", "command"), [(name, command) for name in NAMES for command in commands_of(name)], ids=lambda x: x
)
def test_a_command_is_understood(guide, command):
    parser, words = APP, shlex.split(command)[1:]
    while words and hasattr(parser, "commands"):
        name = words.pop(0) if words[0] in parser.commands else "files"
        parser = parser.commands[name]
    if words:
        assert parser.make_context(command, words).params
    for setting in re.findall(r"--set (\S+)", command):
        keras_hrnet.training.parse_setting(setting)


@pytest.mark.parametrize("guide", NAMES)
def test_every_option_of_the_text_is_one_of_a_command(guide):
    # Of a table that says what is called what, the last column is ours.
    text = (
        re.sub(r"^\|.*\|([^|]*)\|$", r"\1", GUIDES[guide], flags=re.MULTILINE)
        if guide == "migrating"
        else GUIDES[guide]
    )
    text = re.sub(r"^csDownload .*$", "", text, flags=re.MULTILINE)
    named = {option for code in re.findall(r"`([^`\n]*)`", text) for option in re.findall(r"(?<!\S)--[a-z-]+", code)}
    assert named <= options()


@pytest.mark.parametrize("guide", NAMES)
def test_every_name_of_the_package_is_there(guide):
    for path in set(re.findall(r"\bkeras_hrnet\.[\w.]*\w", GUIDES[guide])):
        module, names = keras_hrnet, path.split(".")[1:]
        for name in names:
            found = getattr(module, name, None)
            module = importlib.import_module(f"{module.__name__}.{name}") if found is None else found
    for name in re.findall(r"`((?:HRNetW|HRFormer|LiteHRNet)\w+)", GUIDES[guide]):
        assert name in VARIANTS


@pytest.mark.parametrize("message", re.findall(r"says `([^`]+)`", GUIDES["troubleshooting"]))
def test_a_message_that_is_quoted_is_one_of_the_package(message):
    assert message in texts()


def test_messages_of_the_table_are_those_of_the_package():
    table = GUIDES["troubleshooting"].split("| Message | Cure |\n")[1].split("\n\n")[0]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) == 4
    assert all(message in texts() for message in messages)


def test_scores_and_costs_are_those_of_the_package():
    published = {row.name: row for row in published_weights()}
    rows = re.findall(
        r"^\| `(\w+)\((.*?)\)` \| (.*?) \| `(\w+)` \| (.*?) \| (.*?) \|$", GUIDES["choosing"], re.MULTILINE
    )
    assert len(rows) == 11
    for network, arguments, score, name, parameters, multiplications in rows:
        row, given = published[name], eval(f"dict({arguments})")
        head = given.pop("head", VARIANTS[network].default_head)
        assert (row.variant, row.head, row.dataset) == (network, head, "cityscapes")
        assert row.score == score.replace(",", " mIoU, val,") if "," in score else f"{score} mIoU, val"
        published_options = VARIANTS[network].head_options.get(head, {})
        counted = cost(VARIANTS[network], head=head, **{**published_options, **given})
        assert [parameters, multiplications] == [
            f"{counted.parameters / 1e6:.1f}",
            f"{counted.multiplications / 1e9:.0f}",
        ]


def test_the_settings_of_fine_tuning_are_those_of_the_recipe():
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", GUIDES["fine_tuning"], re.MULTILINE)
    assert len(rows) == 5
    assert all(getattr(RECIPES["fine_tuning"], name) == float(value) for name, value in rows)


def test_times_are_those_of_the_benchmarks():
    measured = (ROOT / "examples" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    table = GUIDES["choosing"].split("| network | runtime | milliseconds |")[1].split("\n\n")[0]
    times = re.findall(r"(\d+) \|$", table, re.MULTILINE)
    assert len(times) == 4
    assert all(re.search(rf"^\| [^|]* \| tensorflow \|[^|]*\| {time} \|", measured, re.MULTILINE) for time in times)


def test_the_code_of_choosing_runs(capsys):
    exec(compile(code_of("choosing")[0], "choosing.md", "exec"), {})
    assert capsys.readouterr().out.strip()
