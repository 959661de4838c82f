"""The notebooks: they run from top to bottom on little data, and are stored without outputs."""

import json
import pathlib

import nbclient
import nbformat
import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet.checkpoints import naming

pytestmark = pytest.mark.once

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "examples" / "notebooks"
TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
PHOTOS = """
checkpoint, recipe_name = None, "from_scratch"
photos, masks, class_names = "photos", "masks", ("dark", "bright")
network = lambda num_classes: keras_hrnet.HRNet(TINY, num_classes)
settings = {"epochs": 1, "batch_size": 2, "validate_every": 1, "warmup_epochs": 0}
"""
PHONE = """
checkpoint, photos, image_size = "published.pth", "photos", (32, 64)
model = keras_hrnet.HRNet(TINY, 19, name="HRNetW18Small")
"""


@pytest.fixture
def run(tmp_path):
    """Returns a function that runs a notebook in an empty folder, with other settings; it gives the texts it prints."""

    def run(name, settings):
        notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
        (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
        cell.source = settings.replace("TINY", f"keras_hrnet.{TINY!r}")
        resources = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        return outputs, "".join(output.text for output in outputs if output.get("name") == "stdout")

    return run


@pytest.fixture
def photos(tmp_path):
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(10):
        photo = np.random.default_rng(i).integers(0, 256, (32, 64, 3), dtype="uint8")
        Image.fromarray(photo).save(tmp_path / "photos" / f"{i}.png")
        Image.fromarray((photo[..., 0] > 127).astype("uint8")).save(tmp_path / "masks" / f"{i}.png")


def pictures(outputs):
    return [output for output in outputs if "image/png" in output.get("data", ())]


@pytest.mark.slow
def test_a_network_is_fine_tuned_on_ones_own_photos(run, photos, tmp_path):
    outputs, text = run("fine_tune_your_photos.ipynb", PHOTOS)
    assert "bright: " in text
    assert "mean of 2 classes" in text
    assert len(pictures(outputs)) == 3
    assert (tmp_path / "own.keras").is_file()


@pytest.mark.slow
def test_a_checkpoint_becomes_a_file_for_a_phone(run, photos, published_file, tmp_path):
    weights = {naming.name_of(w.path): w.numpy() for w in keras_hrnet.HRNet(TINY, 19, name="HRNetW18Small").weights}
    published_file({name: w.transpose(3, 2, 0, 1) if w.ndim == 4 else w for name, w in weights.items()})
    outputs, text = run("checkpoint_to_phone.ipynb", PHONE)
    assert "of the labels are the same as from Keras" in text
    assert "int8" in text
    assert len(pictures(outputs)) == 2
    assert (tmp_path / "model.tflite").is_file()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(path):
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert code[0]["source"][0] == "import os\n"
