"""The guide of videos: its code runs, only smaller, and its commands are understood."""

import pathlib
import re
import shlex

import pytest
import typer.main

from keras_hrnet import Variant, cli

pytestmark = pytest.mark.once

GUIDE = (pathlib.Path(__file__).parents[2] / "examples" / "video.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = re.findall(r"^keras-hrnet .*$", GUIDE, re.MULTILINE)
TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.mark.slow
def test_the_code_runs(draw_video, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw_video("drive.mp4", range(0, 3 * 512, 512))
    names = {"TINY": TINY}
    for code in CODE:
        exec(compile(re.sub(r"HRNetW\w+\(", "HRNet(TINY, ", code), "video.md", "exec"), names)
    assert capsys.readouterr().out.splitlines()[1].startswith("0.033 s: ")
    assert names["first"].result.shape == (64, 96, 3)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command):
    name, *arguments = shlex.split(command)[1:]
    assert typer.main.get_command(cli.app).commands[name].make_context(name, arguments).params
