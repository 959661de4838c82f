"""The guide of the export: its code runs, only smaller, and its commands are understood."""

import pathlib
import re
import shlex

import pytest
import typer.main

from keras_hrnet import Variant, cli
from keras_hrnet.data import synthesize
from keras_hrnet.export.openvino import OPENVINO
from keras_hrnet.export.tflite import TFLITE

pytestmark = pytest.mark.once

GUIDE = (pathlib.Path(__file__).parents[2] / "examples" / "export.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = re.findall(r"^keras-hrnet .*$", GUIDE, re.MULTILINE)
TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.mark.slow
def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthesize("data/cityscapes", num_train=4, num_val=0, num_test=0, size=(64, 128))
    names = {"TINY": TINY}
    for code in CODE:
        code = re.sub(r"HRNetW\w+\(", "HRNet(TINY, ", code).replace("(512, 1024)", "(32, 64)")
        exec(compile(code, "export.md", "exec"), names)
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {
        "v2.tflite",
        "v2.tflite.json",
        "v2_int8.tflite",
        "v2",
        "v2.json",
        "v2.onnx",
        "v2.xml",
        "v2_fast.keras",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command):
    words = shlex.split(command)[1:]
    parser = typer.main.get_command(cli.app).commands[words[0]]
    if words[0] == "benchmark":
        parser, words = parser.commands["files"], words
    assert parser.make_context(words[0], words[1:]).params


@pytest.mark.parametrize(("heading", "kind"), [("`.tflite`", TFLITE), ("OpenVINO", OPENVINO)])
def test_every_precision_of_the_guide_is_there(heading, kind):
    section = GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]
    precisions = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert len(precisions) >= 4
    for precision in precisions:
        assert kind.options((32, 64), precision=precision).precision == precision
