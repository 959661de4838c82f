import json

import pytest
import typer.testing

from keras_hrnet import cli
from keras_hrnet.data import synthesize
from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.records.packing import pack
from keras_hrnet.data_sets.cityscapes import CITYSCAPES

pytestmark = pytest.mark.once


@pytest.mark.slow
def test_benchmark_data_shows_every_pipeline_beside_decoding_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    root, records = tmp_path / "streets", tmp_path / "records"
    synthesize(root, num_train=2, num_val=0, num_test=0, size=(64, 128))
    pixels, pairs, known = tmp_path / "pixels", find_pairs(root, "train"), CITYSCAPES.label_values
    pack(pairs, records / "train", known=known)
    pack(pairs, pixels / "train", known=known, as_pixels=True)
    options = ["--records", records, "--records", pixels, "--cache", "memory"]
    options += ["--crop-size", "32x64", "--batch-size", 2, "--images", 2]
    options += ["--rounds", 1, "--json", tmp_path / "rates.json"]
    result = typer.testing.CliRunner().invoke(cli.app, ["benchmark", "data", str(root), *map(str, options)])
    assert result.exit_code == 0, result.output
    rates = json.loads((tmp_path / "rates.json").read_text())
    packed = [f"{row}, {folder}" for folder in (records, pixels) for row in ("decoding alone", "training")]
    assert list(rates) == ["decoding alone", "training", *packed, "training, cache memory"]
    assert all(rate["images_per_second"] > 0 for rate in rates.values())
    assert "training, cache memory " in result.output
    assert "1.00" in result.output
