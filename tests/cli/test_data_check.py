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
    assert "Expected its folder to exist" in str(result.exception)


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


@pytest.fixture
def binary(tmp_path):
    """Options of two photos whose masks hold 0 and 255."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    for i in range(2):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"photos/{i}.png")
        Image.fromarray(np.full((8, 8), 255 * i, np.uint8)).save(tmp_path / f"masks/{i}.png")
    return ("--images", tmp_path / "photos", "--masks", tmp_path / "masks")


def test_masks_of_0_and_255_are_not_taken_for_one_class_and_ignored_pixels(binary):
    result = run(*binary, "--classes", "background,object", columns="300")
    assert result.exit_code == 1
    assert "1 error: nothing to learn" in result.output
    assert "hold only 0 and 255: 255 is read as ignored, so 'background' is the only class" in result.output
    assert "pass id_map={0: 'background', 255: 'object'} (--id-map 0:background,255:object)" in result.output
    result = run(*binary, "--classes", "background,object", "--id-map", "0:background,255:object")
    assert (result.exit_code, "No errors, 0 remarks" in result.output) == (0, True)
    result = run(*binary, "--classes", "background,object", "--ignore-label", 255)
    assert result.exit_code == 0
    assert "1 remark: class without a pixel" in result.output
    assert "have no pixel of the class 'object'" in result.output


def test_an_ignored_label_needs_classes(binary):
    assert "without --classes" in str(run(*binary, "--ignore-label", 255).exception)


def test_colors_are_checked_by_a_palette(binary, tmp_path):
    for i, color in enumerate([(0, 0, 0), (0, 200, 0)]):
        Image.new("RGB", (8, 8), color).save(tmp_path / f"masks/{i}.png")
    assert run(*binary, "--classes", 2, "--palette", "#000000,#00c800").exit_code == 0
    result = run(*binary, "--classes", 2, "--palette", "#000000,#00c801")
    assert "holds the colors (0, 200, 0)" in result.output


def test_a_known_data_set_is_checked_by_its_row(tmp_path):
    for split, values in (("train", range(11)), ("val", [11])):
        for folder, pixels in ((split, np.zeros((1, len(values), 3))), (f"{split}annot", np.array([values]))):
            (tmp_path / folder).mkdir()
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / "a.png")
    result = run(tmp_path, "--data-set", "camvid")
    assert result.exit_code == 0, result.output
    assert "│ masks      │ train │     1 │       367 │ sound" in result.output
    assert "│ masks      │ test  │     0 │       233 │ absent" in result.output
    Image.fromarray(np.uint8([[12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])).save(tmp_path / "trainannot/a.png")
    result = run(tmp_path, "--data-set", "camvid")
    assert result.exit_code == 1
    assert "holds the values 12; expected only 0 to 11" in result.output
    assert "Received --data-set camvit" in str(run(tmp_path, "--data-set", "camvit").exception)


@pytest.mark.parametrize("arguments", [(), ("ROOT", "--images", "a", "--masks", "b"), ("--images", "a")])
def test_either_a_root_or_two_folders_are_asked_for(arguments):
    result = run(*arguments)
    assert isinstance(result.exception, ValueError)
    assert "Expected ROOT alone, or --images and --masks. Pass one or the other." in str(result.exception)
