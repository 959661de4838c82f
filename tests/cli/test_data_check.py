import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_hrnet.cli import app
from keras_hrnet.streets.synthesis import synthesize

pytestmark = pytest.mark.once


@pytest.fixture
def root(tmp_path):
    return synthesize(tmp_path / "streets", num_train=5, num_val=1, num_test=0, size=(64, 128)).root


def run(*arguments, columns="100"):
    return CliRunner(env={"COLUMNS": columns}).invoke(app, ["data", "check", *map(str, arguments)])


def break_images(root, count):
    images = sorted(root.glob("leftImg8bit/train/*/*.png"))[:count]
    for image in images:
        image.write_bytes(image.read_bytes()[:300])
    return images


def test_a_sound_root_is_a_table_and_no_error(root):
    result = run(root)
    assert result.exit_code == 0
    assert "6/6 pairs" in result.output
    assert "│ fine       │ train       │     5 │      2975 │ sound" in result.output
    assert "absent: gtCoarse.zip" in result.output
    assert "No errors, 4 remarks." in result.output


def test_errors_are_grouped_with_their_cure_and_the_exit_code_is_1(root):
    images = break_images(root, 4)
    result = run(root)
    assert result.exit_code == 1
    assert "4 errors: cut short" in result.output
    assert f"  {images[2].relative_to(root)}\n    ends after 300 bytes" in result.output
    assert str(images[3].name) not in result.output
    assert "  and 1 more\n  → Restore the file from its source.\n" in result.output
    assert "4 errors, " in result.output


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal(root, columns):
    break_images(root, 1)
    _bar, *lines = run(root, columns=str(columns)).output.splitlines()
    assert not [line for line in lines if len(line) > columns and not line.endswith(".png")]


def test_headers_alone_are_read_on_request(root):
    break_images(root, 1)
    assert run(root, "--quick").exit_code == 0


def test_all_findings_are_written_as_json(root, tmp_path):
    images = break_images(root, 4)
    assert run(root, "--json", tmp_path / "found.json").exit_code == 1
    data = json.loads((tmp_path / "found.json").read_text())
    assert [finding["path"] for finding in data["findings"] if finding["kind"] == "cut short"] == [
        str(image) for image in images
    ]


def test_a_missing_folder_for_the_json_is_told_before_the_check(root, tmp_path):
    result = run(root, "--json", tmp_path / "nowhere/found.json")
    assert isinstance(result.exception, FileNotFoundError)
    assert "Expected its folder to be there" in str(result.exception)


def test_folders_of_ones_own_are_checked(root, tmp_path):
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "photos/a.jpg")
    Image.fromarray(np.full((8, 8), 5, np.uint8)).save(tmp_path / "masks/a.png")
    folders = ("--images", tmp_path / "photos", "--masks", tmp_path / "masks")
    assert run(*folders).exit_code == 0
    result = run(*folders, "--classes", 5)
    assert result.exit_code == 1
    assert "holds the values 5; expected only 0 to 4 and 255" in result.output


@pytest.mark.parametrize("arguments", [(), ("ROOT", "--images", "a", "--masks", "b"), ("--images", "a")])
def test_either_a_root_or_two_folders_are_asked_for(arguments):
    result = run(*arguments)
    assert isinstance(result.exception, ValueError)
    assert "Expected ROOT alone, or --images and --masks together" in str(result.exception)
