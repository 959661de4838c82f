"""Each example is run as a script, on little data."""

import ast
import importlib
import pathlib
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.data import synthesize

# Networks, training and export are tested on every backend where they live.
pytestmark = pytest.mark.once

EXAMPLES = pathlib.Path(__file__).parent.parent.parent / "examples"


TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


@pytest.fixture
def run(monkeypatch, small_network):
    # What a script does is tested here; that HRNetW18Small trains and exports is tested where README's code is run.
    monkeypatch.setattr(keras_hrnet, "HRNetW18Small", lambda num_classes=19, weights=None: small_network(num_classes))

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    return run


@pytest.mark.slow
def test_the_network_trains_on_cityscapes(run, tmp_path, capsys):
    synthesize(tmp_path / "streets", num_train=4, num_val=2, num_test=0, size=(64, 128))
    arguments = ["--data", tmp_path / "streets", "--network", "HRNetW18Small", "--crop", 64, 64, "--batch-size", 2]
    run("train_cityscapes.py", *arguments, "--epochs", 1, "--accumulate", 2, "--out", tmp_path / "run")
    assert "mean of" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"best.keras", "log.csv", "run.json"}


@pytest.mark.slow
def test_the_network_trains_on_ones_own_data(run, tmp_path, capsys):
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(5):
        photo = np.random.default_rng(i).integers(0, 256, (40, 60, 3), dtype="uint8")
        Image.fromarray(photo).save(tmp_path / "photos" / f"{i}.jpg")
        Image.fromarray((photo[..., 0] > 127).astype("uint8")).save(tmp_path / "masks" / f"{i}.png")
    arguments = ["--images", tmp_path / "photos", "--masks", tmp_path / "masks", "--classes", "dark,bright"]
    run("own_data.py", *arguments, "--crop", 32, 64, "--epochs", 1, "--batch-size", 2, "--out", tmp_path / "own.keras")
    assert "bright" in capsys.readouterr().out
    assert (tmp_path / "own.keras").is_file()


@pytest.mark.slow
def test_a_network_is_exported(run, tmp_path, capsys):
    keras_hrnet.HRNetW18Small().save(tmp_path / "model.keras")
    run("export_tflite.py", tmp_path / "model.keras", tmp_path / "model.tflite", "--size", 64, 128)
    assert "gives labels of (1, 64, 128), uint8" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_what_a_script_imports_from_the_package_is_there(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_hrnet"):
            for name in node.names:
                if not hasattr(importlib.import_module(node.module), name.name):
                    importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short(path):
    assert len(path.read_text().splitlines()) < 80


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "missing"), [(3, ()), (1, ("ai_edge_litert.compiled_model",))])
def test_the_on_device_runner_needs_neither_keras_nor_this_package(channels, missing, tmp_path):
    script = EXAMPLES / "on_device" / "segment.py"
    assert len(script.read_text().splitlines()) < 110
    network = keras_hrnet.HRNet(TINY, 5, input_shape=(None, None, channels))
    keras_hrnet.export_tflite(network, tmp_path / "tiny.tflite", image_size=(64, 96), class_names=tuple("abcde"))
    photo = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype="uint8")
    Image.fromarray(photo).save(tmp_path / "my photo.jpg")
    # Without the compiled model, which LiteRT has had since 2.3, the interpreter runs the file.
    blocked = f"import sys; sys.modules.update(dict.fromkeys({('keras', 'tensorflow', 'keras_hrnet', *missing)}));"
    code = f"{blocked} import runpy; sys.argv = ['segment.py', 'tiny.tflite', 'my photo.jpg', '--alpha=1']; "
    code += f"runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"my photo_segmented.png: \d+ ms, mostly [a-e]", done.stdout)
    with Image.open(tmp_path / "my photo_segmented.png") as picture:
        assert picture.size == (50, 70)
        painted = {color for _, color in picture.getcolors()}
    colors = keras_hrnet.read_metadata(tmp_path / "tiny.tflite")["colors"]
    assert painted <= {tuple(color) for color in colors}
    if channels == 3:
        with Image.open(tmp_path / "my photo.jpg") as picture:
            pixels = np.asarray(picture.resize((96, 64), Image.Resampling.BILINEAR), "float32")
        labels = keras_hrnet.run_tflite(tmp_path / "tiny.tflite", pixels[None])[0].argmax(-1).astype("int32")
        expected = np.array(colors, "uint8")[np.asarray(Image.fromarray(labels).resize((50, 70), 0))]
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "my photo_segmented.png")), expected)
    assert (0, 0, 0) not in painted
