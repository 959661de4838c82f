"""What tests of the benchmarks share: their scripts, and CamVid in small."""

import importlib
import pathlib

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data_sets import DATA_SETS

BENCHMARKS = pathlib.Path(__file__).parents[2] / "examples" / "benchmarks"


@pytest.fixture
def benchmark_script(monkeypatch):
    """Returns a function that imports a script of the benchmarks by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def camvid_root(tmp_path):
    """CamVid with four training and two validation photos of 36x48, whose colors are those of random labels."""
    generator, classes = np.random.default_rng(0), DATA_SETS["camvid"].classes
    for split, number in (("train", 4), ("val", 2)):
        for folder in (split, f"{split}annot"):
            (tmp_path / "camvid" / folder).mkdir(parents=True)
        for i in range(number):
            labels = generator.integers(0, len(classes.names) + 1, (3, 4)).repeat(12, axis=0).repeat(12, axis=1)
            colors = np.array([*classes.colors, (0, 0, 0)], "uint8")
            Image.fromarray(colors[labels]).save(tmp_path / "camvid" / split / f"{i}.png")
            Image.fromarray(labels.astype("uint8")).save(tmp_path / "camvid" / f"{split}annot" / f"{i}.png")
    return tmp_path / "camvid"
