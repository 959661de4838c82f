"""Whatever a file is called, commands end as they would, and the terminal shows its name."""

import io
import pathlib

import pytest
import rich.table

from keras_hrnet.cli.console import Console

pytestmark = pytest.mark.once

NAME = "a[/x]\x1b[31m\u202e\udcff.png"
SHOWN = r"a[/x]\x1b[31m\u202e\udcff.png"


def printed(*objects, **options):
    file = io.StringIO()
    Console(file=file, soft_wrap=True, width=200, **options).print(*objects)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "no_color": True, "highlight": False}])
def test_names_are_shown_and_do_nothing(options):
    table = rich.table.Table(title=NAME)
    table.add_row(NAME)
    for name in (NAME, pathlib.Path(NAME), table):
        text = printed("Wrote", name, **options)
        assert SHOWN in text
        assert "\x1b[31m" not in text


def test_styles_are_the_consoles_own():
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system="standard").print("Error:", style="red")
    assert file.getvalue() == "\x1b[31mError:\x1b[0m\n"
