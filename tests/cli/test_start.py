"""The command starts without Keras, and keeps the chatter of libraries from the terminal."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import types

import pytest
import typer

import keras_hrnet
from keras_hrnet import cli
from keras_hrnet.cli.train import RECIPE_NAMES
from keras_hrnet.cli.train_command import SETTINGS_BY_OPTION
from keras_hrnet.training import RECIPES
from tests.cli.test_choices import CALLS

pytestmark = pytest.mark.once

COMMAND = pathlib.Path(keras_hrnet.__file__).parent / "command" / "keras_hrnet_command.py"
AS_COMMAND = f"import sys; sys.path.insert(0, {str(COMMAND.parent)!r}); import keras_hrnet_command as command\n"

INFO = "I0000 00:00:1795976508.383538    9336 cudart_stub.cc:31] Could not find cuda drivers on your machine."
CHATTER = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    INFO,
    "2026-11-29 18:22:20.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.",
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.",
    "E0000 00:00:1795976631.685683 1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN (303)",
    "W0000 00:00:1795976633.743373 1 tf_tfl_flatbuffer_helpers.cc:364] Ignored output_format.",
]
SHOWN = [
    "W0000 00:00:1795976633.743373 1 gpu_device.cc:2343] Cannot dlopen some GPU libraries.",
    "E0000 00:00:1795976631.685683 1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: (999)",
    "F0000 00:00:1795976631.685683 1 cpu_feature_guard.cc:39] The TensorFlow library needs AVX instructions.",
    "WARNING: Attempting to use a delegate that only supports static-sized tensors with a graph that has others.",
    "terminate called after throwing an instance of 'std::bad_alloc'",
]


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def verbs(command=None, path=()):
    """Lists the words of every command and group."""
    command = command or typer.main.get_command(cli.app)
    yield list(path)
    for name, part in getattr(command, "commands", {}).items():
        yield from verbs(part, (*path, name))


def test_help_version_info_and_refusals_import_neither_keras_nor_numpy():
    calls = [[*words, "--help"] for words in verbs()]
    assert len(calls) > 10
    calls += [["--version"], ["info"], ["info", "--weights"], ["predict"], ["export", "--sise", "1"]]
    calls += [["predict", "missing.keras", "photo.jpg"], ["train", "--network", "HRNetW49"], ["train", "--recipe", "x"]]
    calls += [["export", "missing.keras", "x.tflite", "--size", "wide"], ["evaluate"], ["data", "check"]]
    calls += [[*call, option, "x"] for option, call in CALLS.items()]
    code = f"""{AS_COMMAND}
import json
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["keras-hrnet", *arguments]
    try:
        command.main()
    except SystemExit:
        pass
    heavy = {{"keras", "tensorflow", "jax", "torch", "numpy", "PIL", "h5py", "matplotlib"}} & set(sys.modules)
    heavy |= {{"http.server"}} & set(sys.modules)
    assert not heavy, (arguments, heavy)
print("all of them are light")
"""
    result = run(code, json.dumps(calls))
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("all of them are light\n")


@pytest.mark.parametrize("command", [["data", "synthesize", "new"], ["data", "check", "--quick", "none"]], ids=" ".join)
def test_a_command_that_imports_libraries_holds_their_lines_back(command, invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held_back = []
    reset = cli.start.CHATTER.set(types.SimpleNamespace(hold_back=lambda: held_back.append(command)))
    try:
        invoke(
            *command, *(("--train", 1, "--val", 0, "--test", 0, "--size", "32x64") if "synthesize" in command else ())
        )
    finally:
        cli.start.CHATTER.reset(reset)
    assert held_back


@pytest.mark.slow
def test_a_package_that_was_put_off_loads_networks_as_any_other(saved_small_network):
    code = f"""{AS_COMMAND}
command.put_off()
from keras_hrnet.checkpoints.published import published_weights
from keras_hrnet.models.cost import cost
import keras, keras_hrnet
from keras_hrnet.cli.start import start
start()
from keras_hrnet.checkpoints import load_checkpoint
assert keras.models.load_model(sys.argv[1], compile=False).name == "HRNetW18Small"
assert type(keras_hrnet.models).__name__ == type(keras_hrnet).__name__ == "module"
assert keras_hrnet.published_weights is published_weights and keras_hrnet.models.cost is cost
"""
    result = run(code, saved_small_network)
    assert result.returncode == 0, result.stderr


def test_only_chatter_is_held_back_and_shown_after_a_crash():
    script = pathlib.Path(cli.start.chatter_filter.__file__)
    lines = [line for pair in zip(CHATTER, [*SHOWN, *SHOWN], strict=False) for line in pair]
    shown = [line for line in lines if line in SHOWN]
    for ending, expected in ((cli.start.chatter_filter.ALL_WELL.decode(), shown), ("", [*shown, *CHATTER])):
        text = "\n".join(lines) + "\n" + ending
        result = subprocess.run([sys.executable, script], input=text, capture_output=True, text=True, check=True)
        assert result.stdout.splitlines() == expected


@pytest.mark.parametrize(
    ("end", "shows_chatter"),
    [
        ("pass", False),
        ("raise ValueError('a wrong option')", False),
        ("raise SystemExit(2)", False),
        ("raise KeyboardInterrupt", False),
        ("raise ImportError('no such library')", True),
        ("raise RuntimeError('inside a library')", True),
        ("raise AttributeError('a mistake in this package')", True),
        ("os.abort()", True),
    ],
)
def test_what_is_held_back_is_shown_where_a_library_fails(end, shows_chatter):
    code = f"""{AS_COMMAND}
import os
command.put_off()
import keras_hrnet.cli as cli
from keras_hrnet.cli.start import CHATTER
def app(prog_name):
    CHATTER.get().hold_back()
    os.write(2, {(INFO + chr(10)).encode()!r})
    os.write(2, {(SHOWN[0] + chr(10)).encode()!r})
    print("from Python", file=sys.stderr)
    {end}
cli.app = app
cli.main()
"""
    result = run(code)
    assert (INFO in result.stderr) == shows_chatter
    assert SHOWN[0] in result.stderr and "from Python" in result.stderr
    assert "keras-hrnet: all is well" not in result.stderr


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL"])
def test_a_signal_to_both_processes_leaves_no_traceback(signal_name):
    code = f"""{AS_COMMAND}
import os, signal, time
command.put_off()
import keras_hrnet.cli as cli
from keras_hrnet.cli.start import CHATTER
def app(prog_name):
    CHATTER.get().hold_back()
    os.write(2, b"a warning\\n")
    time.sleep(0.5)  # The process has begun.
    CHATTER.get()._filter.send_signal(signal.{signal_name})
    time.sleep(0.2)
    raise SystemExit(3)
cli.app = app
cli.main()
"""
    result = run(code)
    assert result.returncode == 3
    assert result.stderr == "a warning\n"


def test_a_level_of_zero_shows_everything(monkeypatch, capfd):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    chatter = cli.start.Chatter()
    chatter.hold_back()
    print(INFO, file=sys.stderr)
    chatter.stop(failed=False)
    assert INFO in capfd.readouterr().err


@pytest.mark.slow
def test_an_export_says_nothing_but_its_report(saved_small_network, tmp_path):
    arguments = ["export", str(saved_small_network), str(tmp_path / "x.tflite"), "--size", "32x64"]
    result = subprocess.run([sys.executable, COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "label agreement" in result.stdout
    assert result.stderr == ""


def test_the_help_of_train_lists_the_recipes():
    assert tuple(RECIPES) == RECIPE_NAMES
    fields = {field.name for field in dataclasses.fields(RECIPES["cityscapes"])}
    assert set(SETTINGS_BY_OPTION.values()) <= fields
