import errno
import os
import pathlib
import re

import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import cli
from keras_hrnet.cli import demo as demo_module
from keras_hrnet.families import VARIANTS


def test_info_lists_every_network_with_its_cost(invoke):
    result = invoke("info", "--size", "1024x2048")
    assert result.exit_code == 0
    assert re.search(r"HRNetW48\(\) .* 48 .* 1/4/3 .* 65,859,379 .* 747\.51 billion", result.output)
    assert result.output.count("()") == len(VARIANTS)


def test_a_size_written_wrongly_is_refused(invoke):
    result = invoke("info", "--size", "1024")
    assert isinstance(result.exception, ValueError)
    assert "Received the size '1024'. Expected HEIGHTxWIDTH" in str(result.exception)


def test_synthesize_writes_streets_in_a_folder_with_a_space(invoke, tmp_path):
    root = tmp_path / "my streets"
    result = invoke("data", "synthesize", root, "--train", 1, "--val", 1, "--test", 0, "--size", "64x128")
    assert result.exit_code == 0, result.output
    assert len(list(root.rglob("*_leftImg8bit.png"))) == 2


def test_an_error_is_a_line_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["keras-hrnet", "info", "--size", "wide"])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    error = capsys.readouterr().err
    assert error.startswith("Error: Received the size 'wide'.")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        (errno.EACCES, "a.png", "Error: 'a.png' cannot be accessed (Permission denied). Expected a path that exists"),
        (errno.ENOSPC, "a.png", "Error: 'a.png' cannot be written (No space left on device; "),
        (errno.EIO, None, "Error: A file cannot be read or written (Input/output error). Check the disk"),
    ],
    ids=["a path", "a full disk", "no path"],
)
def test_an_error_of_the_system_says_what_to_do(code, name, expected, monkeypatch, capsys):
    def fail(**options):
        raise OSError(code, os.strerror(code), name)

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    error = capsys.readouterr().err
    assert error.startswith(expected)
    assert "Errno" not in error


@pytest.mark.parametrize("module", ["keras_hrnet.export.comparison", "torch"])
def test_a_refusal_is_a_line_and_a_failure_of_a_library_is_not(module, monkeypatch, capsys):
    namespace = {"__name__": module}
    exec("def fail(**options):\n    raise RuntimeError('The exported file is off.')", namespace)
    monkeypatch.setattr(cli, "app", namespace["fail"])
    with pytest.raises(SystemExit if module.startswith("keras_hrnet") else RuntimeError):
        cli.main()
    assert ("Error: The exported file is off." in capsys.readouterr().err) == module.startswith("keras_hrnet")


def test_the_version_is_printed(invoke):
    assert invoke("--version").output.strip() == keras_hrnet.__version__


def test_every_command_of_readme_exists(invoke):
    readme = (pathlib.Path(__file__).parent.parent.parent / "README.md").read_text()
    commands = set(re.findall(r"^keras-hrnet ((?:data )?[a-z]+)", readme, re.MULTILINE))
    assert commands
    for command in commands:
        assert invoke(*command.split(), "--help").exit_code == 0, command


@pytest.mark.once
@pytest.mark.slow
def test_the_demo_goes_from_streets_to_the_phone_file(invoke, small_network, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_module, "IMAGE_SIZE", (64, 128))
    monkeypatch.setattr(demo_module, "CROP_SIZE", (32, 64))
    monkeypatch.setattr(demo_module, "NUM_VAL", 4)
    monkeypatch.setattr("keras_hrnet.models.HRNetW18Small", small_network)
    monkeypatch.setenv("PATH", "")  # Without npm there is no page, and the demo goes on.
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    result = invoke("demo", tmp_path / "my demo", "--images", 8, "--epochs", 1)
    assert result.exit_code == 0, result.output
    assert f"keras-hrnet predict '{tmp_path / 'my demo' / 'w18_small.keras'}' PHOTO.jpg" in result.output
    assert "The web page was not written: A web page needs LiteRT.js" in result.output
    for words in ("baseline IoU %", "traffic light", "label agreement", "latency"):
        assert words in result.output
    assert {path.name for path in (tmp_path / "my demo").iterdir()} == {
        "comparison.png",
        "report.html",
        "streets",
        "w18_small.keras",
        "w18_small.tflite",
        "w18_small.tflite.json",
    }


def test_the_baseline_is_the_commonest_class_of_each_place(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_module, "IMAGE_SIZE", (64, 128))
    keras_hrnet.data.synthesize(tmp_path, num_train=2, num_val=1, num_test=0, size=(64, 128))
    train = [label[0] for _, label in keras_hrnet.data.cityscapes(tmp_path, "train", augment=False).as_numpy_iterator()]
    val = keras_hrnet.data.cityscapes(tmp_path, "val")
    truth = next(val.as_numpy_iterator())[1][0]
    right = 0
    for y, x in np.ndindex(truth.shape):
        votes = np.bincount([label[y, x] for label in train if label[y, x] != 255], minlength=19)
        right += votes.argmax() == truth[y, x]
    assert np.trace(demo_module.baseline(tmp_path, val).confusion) == right
