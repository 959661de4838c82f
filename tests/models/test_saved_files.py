"""Files of earlier versions: they load, and compute what they computed when they were saved."""

import pathlib

import keras
import numpy as np
import pytest

import keras_hrnet  # noqa: F401 (registers what the files name)

FOLDER = pathlib.Path(__file__).parent.parent / "golden" / "saved"


@pytest.mark.parametrize(
    "name",
    ["fcn_channels_first", "ocr_optimized", *(pytest.param(x, marks=pytest.mark.compiles) for x in ("isa", "ocr"))],
)
def test_a_network_saved_by_version_0_1_computes_the_same(name):
    model = keras.models.load_model(FOLDER / f"{name}.keras")
    with np.load(FOLDER / "outputs.npz") as arrays:
        images, expected = arrays["images"], arrays[f"{name}_0"]
    images = np.moveaxis(images, -1, 1) if name.endswith("channels_first") else images
    logits = keras.ops.convert_to_numpy(model(images, training=False))
    # The outputs are PyTorch's, and there the same to the bit on the machine that made them.
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())  # measured 0 and 3.0e-6
    assert model.class_names == tuple(f"class {i}" for i in range(5))
