"""What is in `.github`: the map of the code is up to date, and links and forms are whole."""

import importlib.util
import pathlib
import re

import pytest

pytestmark = pytest.mark.once

FOLDER = pathlib.Path(__file__).parent.parent / ".github"


def test_the_map_shows_the_code_as_it_is():
    spec = importlib.util.spec_from_file_location("code_map", pathlib.Path(__file__).with_name("code_map.py"))
    code_map = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code_map)
    assert code_map.PICTURE.read_text(encoding="utf-8") == code_map.draw(), "Run `python tests/code_map.py`."


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda path: path.name)
def test_every_link_of_a_page_is_there(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in link or (FOLDER / link).exists(), link


def test_the_changelog_begins_with_this_version():
    from keras_hrnet.version import __version__

    newest = re.search(r"^## (\S+?),? ", (FOLDER / "CHANGELOG.md").read_text(encoding="utf-8") + " ", re.MULTILINE)
    assert newest[1] == __version__


def test_the_workflow_runs_the_markers_of_ci():
    workflow = (FOLDER / "workflows" / "tests.yml").read_text(encoding="utf-8")
    script = (FOLDER.parent / ".ci" / "run").read_text(encoding="utf-8")
    for markers in re.findall(r'"([a-z ]* and not [a-z ]*)"', script):
        assert f'"{markers}"' in workflow
