"""`keras-hrnet train`: from a command to a run, and the same run once more."""

import contextlib
import json
import os

import keras
import numpy as np
import pytest
import typer.testing
from PIL import Image

from keras_hrnet import Variant, cli, models
from keras_hrnet.training import fitting, read_run
from keras_hrnet.training.callbacks import saves
from keras_hrnet.training.run import weights_hash
from keras_hrnet.training.state import write_state

pytestmark = pytest.mark.once

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.fixture
def run(monkeypatch, small_network):
    def build(variant, num_classes, **options):
        assert variant is TINY
        return small_network(num_classes, name=variant.name)

    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(models, "HRNet", build)
    monkeypatch.setitem(models.VARIANTS, "Tiny", TINY)

    def run(*arguments):
        return typer.testing.CliRunner().invoke(cli.app, ["train", *map(str, arguments)])

    return run


@pytest.fixture
def own(tmp_path):
    """Options for eight of one's own images, whose two classes the red channel tells apart."""
    options = []
    for split, prefix in (("train", ""), ("val", "val-")):
        for folder in ("images", "masks"):
            (tmp_path / f"{split} {folder}").mkdir()
            options += [f"--{prefix}{folder}", tmp_path / f"{split} {folder}"]
        for i in range(4):
            pixels = np.random.default_rng(i).integers(0, 256, (40, 40, 3), dtype="uint8")
            Image.fromarray(pixels).save(tmp_path / f"{split} images" / f"{i}.png")
            Image.fromarray((pixels[..., 0] > 200).astype("uint8")).save(tmp_path / f"{split} masks" / f"{i}.png")
    return [*options, "--classes", "dark, bright"]


@pytest.mark.parametrize("words", [("--epochs", 3), ("--epochs=3",)])
def test_a_setting_that_is_passed_as_an_option_is_shown_as_it_is_meant(run, words):
    assert "Pass --set epochs=3; `keras-hrnet train --show`" in str(run(*words).exception)
    assert "Pass --set learning_rate=VALUE;" in str(run("--lr", "--network", "Tiny").exception)


@pytest.mark.parametrize("option", ["--run-dir", "--cache"])
def test_a_folder_that_may_not_be_written_to_is_refused_before_the_files_are_read(
    run, own, tmp_path, monkeypatch, option
):
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.R_OK)
    error = run(*own, "--network", "Tiny", option, tmp_path / "new" / "folder").exception
    assert isinstance(error, PermissionError)
    assert str(error).startswith(f"The folder '{tmp_path}' cannot be written to.")


@pytest.mark.slow
def test_a_command_trains_and_its_run_can_be_repeated(run, own, tmp_path, monkeypatch):
    settings = "epochs=1 warmup_epochs=0 batch_size=4 crop_size=32x32 class_weights=enet learning_rate=0.02"
    chosen = [argument for setting in settings.split() for argument in ("--set", setting)]
    first = run(*own, "--network", "Tiny", "--recipe", "fine_tuning", *chosen, "--run-dir", tmp_path / "a", "--seed", 5)
    assert first.exit_code == 0, first.output
    assert "bright" in first.output
    noted = read_run(tmp_path / "a")
    assert noted["settings"].learning_rate == 0.02
    assert noted["settings"].class_weights[0] < noted["settings"].class_weights[1]
    assert noted["train"]["class_names"] == ["dark", "bright"]
    assert keras.models.load_model(tmp_path / "a" / "best.keras").class_names == ("dark", "bright")
    assert noted["train"]["batch_size"] == 2  # of 4, added up

    # What `train` does with a network, data and a recipe is tested there: they must be the same ones.
    given = {}
    monkeypatch.setattr(fitting, "train", lambda *arguments, **options: given.update(options, of=arguments))
    run("--repeat", tmp_path / "a" / "run.json", "--run-dir", tmp_path / "b")
    model, train, val = given["of"]
    assert weights_hash(model) == noted["network"]["first_weights"]
    assert (train.fingerprint, val.fingerprint) == (noted["train"]["fingerprint"], noted["val"]["fingerprint"])
    assert (given["recipe"], given["seed"], given["notes"]) == (noted["settings"], 5, noted["notes"])

    teacher = tmp_path / "a" / "best.keras"
    run(*own, "--network", "Tiny", "--recipe", "fine_tuning", *chosen, "--teacher", teacher)
    assert weights_hash(given["teacher"]) == weights_hash(keras.models.load_model(teacher))
    assert given["notes"] == {**noted["notes"], "teacher": str(teacher)}

    Image.fromarray(np.zeros((40, 40), "uint8")).save(tmp_path / "val masks" / "0.png")
    changed = run("--repeat", tmp_path / "a" / "run.json", "--run-dir", tmp_path / "c")
    assert "The val data differ from those of the run to repeat" in str(changed.exception)


@pytest.mark.slow
def test_a_recipe_of_ones_own_data_chooses_crop_batch_and_steps(run, own, tmp_path):
    del own[4:8]  # The images to validate on.
    command = [
        *own,
        "--val-share",
        "0.25",
        "--network",
        "Tiny",
        "--recipe",
        "from_scratch",
        "--run-dir",
        tmp_path / "a",
    ]
    result = run(*command, "--set", "updates=2", "--set", "repeats=1")
    assert result.exit_code == 0, result.output
    noted = read_run(tmp_path / "a")
    settings = noted["settings"]
    assert (settings.crop_size, settings.batch_size, settings.epochs) == ((32, 32), 3, 2)
    assert settings.class_weights[0] < 1 < settings.class_weights[1]
    assert noted["chosen"].keys() >= {"crop_size", "batch_size", "epochs", "validate_every", "class_weights"}
    assert "Chosen from the data: epochs=2, batch_size=3" in result.output.replace("\n", "")
    assert (noted["train"]["batches"], noted["val"]["batches"]) == (1, 1)


def test_a_recipe_is_shown_with_its_settings(run):
    shown = run("--recipe", "hierarchical", "--set", "epochs=3", "--show")
    assert shown.exit_code == 0
    assert "epochs                 3" in shown.output
    assert "rmi" in shown.output
    assert "scripts/train_cityscapes.yml" in shown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Received no data. Expected either --data"),
        (["--data", "x", "--classes", "a"], "Received --data x, --classes a. Expected either --data"),
        (["--images", "x", "--masks", "y", "--classes", "2"], "without validation images.*Pass --val-images"),
        (["--data", "x", "--set", "epoch=3"], "Did you mean epochs"),
        (["--data", "x", "--recipe", "ocr"], "--recipe 'ocr'. Expected one of"),
        (["--repeat", "nowhere"], r"Expected a run\.json there"),
    ],
    ids=range(6),
)
def test_what_cannot_be_is_refused(arguments, message, run):
    result = run(*arguments)
    assert isinstance(result.exception, (ValueError, OSError))
    with pytest.raises(type(result.exception), match=message):
        raise result.exception


def test_a_network_that_is_not_there_is_refused_before_any_file_is_read(run):
    result = run("--data", "nowhere", "--network", "HRNetW19")
    assert "Received --network 'HRNetW19'" in str(result.exception)


def test_a_run_of_python_code_is_not_repeated_by_the_command(run, own, tmp_path):
    of_python = {
        "recipe": "own",
        "settings": {"source": "x"},
        "seed": 0,
        "network": {},
        "train": {},
        "val": {},
        "notes": None,
    }
    (tmp_path / "run.json").write_text(json.dumps(of_python))
    assert "started from Python" in str(run("--repeat", tmp_path).exception)


@pytest.mark.slow
def test_an_interrupted_command_goes_on_when_it_is_given_again(run, own, tmp_path, monkeypatch):
    settings = "epochs=2 warmup_epochs=0 batch_size=2 gradient_accumulation=1 crop_size=32x32 ema=none"
    chosen = [argument for setting in settings.split() for argument in ("--set", setting)]
    command = [*own, "--network", "Tiny", "--recipe", "fine_tuning", *chosen, "--save-minutes", "0"]
    monkeypatch.chdir(tmp_path)

    def kill(path, *arguments):
        write_state(path, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(saves, "write_state", kill)
        run(*command)
    again = run(*command)
    assert again.exit_code == 0, again.output
    assert "Resuming the run in runs/Tiny-fine_tuning-1 after step 1 of epoch 1." in again.output
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["Tiny-fine_tuning-1"]
    assert read_run(tmp_path / "runs" / "Tiny-fine_tuning-1")["result"]["validations"] == 2


def test_a_training_that_stops_for_a_full_disk_is_asked_for(run, own, monkeypatch):
    given = {}
    monkeypatch.setattr(fitting, "train", lambda *arguments, **options: given.update(options))
    run(*own, "--network", "Tiny", "--recipe", "fine_tuning", "--stop-on-full-disk", "--set", "crop_size=32x32",
        "--set", "batch_size=4")  # fmt: skip
    assert (given["stop_on_full_disk"], given["save_minutes"]) == (True, 10.0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--devices", "0"], {"devices": 0, "process": None}),
        (["--hosts", "a:1,b:1", "--process", "1"], {"hosts": ["a:1", "b:1"], "process": 1}),
        ([], {"devices": 1, "process": None}),
    ],
    ids=" ".join,
)
def test_devices_and_processes_are_asked_for(options, expected, run, own, monkeypatch):
    asked, trained, scored = [], [], []

    @contextlib.contextmanager
    def distributed(**arguments):
        asked.append(arguments)
        yield
        asked.append("over")

    def train(model, *arguments, **options):
        trained.append(model)
        model.classes = ["dark", "light"]
        assert asked == [expected]
        return model

    monkeypatch.setattr("keras_hrnet.training.distributed", distributed)
    monkeypatch.setattr(fitting, "train", train)
    monkeypatch.setattr("keras_hrnet.evaluation.evaluate", lambda model, data: scored.append((model, len(asked))))
    settings = ["--set", "crop_size=32x32", "--set", "batch_size=4"]
    result = run(*own, "--network", "Tiny", "--recipe", "fine_tuning", *settings, *options)
    assert result.exit_code == 0, result.output
    # The first process scores, when the others may have gone, the weights that were trained.
    assert len(scored) == (0 if "--process" in options else 1)
    for model, moment in scored:
        assert moment == 2
        assert model.class_names == ("dark", "light")
        assert (model is trained[0]) == (not options)
        assert weights_hash(model) == weights_hash(trained[0])
