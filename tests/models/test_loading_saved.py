"""Saved networks are loaded after their sizes are checked; `tests/fuzz` tries many that are damaged."""

import json
import pathlib
import zipfile

import keras
import pytest

from keras_hrnet.models.saved_files import load_saved


@pytest.fixture
def saved(tmp_path):
    """Returns a function that saves a small network, with other settings in its configuration, compressed or not."""

    def save(compression=zipfile.ZIP_STORED, **changes):
        image = keras.Input((None, None, 3))
        keras.Model(image, keras.layers.Conv2D(4, 3, name="conv")(image)).save(tmp_path / "small.keras")
        with zipfile.ZipFile(tmp_path / "small.keras") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"])
        config["config"]["layers"][1]["config"].update(changes)
        members["config.json"] = json.dumps(config)
        path = pathlib.Path(tmp_path, "changed.keras")
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return save


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_whole_file_is_loaded_compressed_or_not(compression, saved):
    assert load_saved(saved(compression)).output_shape == (None, None, None, 4)


def test_a_network_that_declares_more_than_its_file_holds_is_not_built(saved):
    with pytest.raises(ValueError, match=r"changed\.keras' is not .* \(it declares filters=2147483648, and no weight"):
        load_saved(saved(filters=2**31))
    with pytest.raises(ValueError, match=r"changed\.keras' is not .* \(it declares 2,430,000,030,000 weights"):
        load_saved(saved(filters=30_000, kernel_size=[3000, 9000]))
