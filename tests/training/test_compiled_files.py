"""Files that were compiled and trained on one backend train on on every other."""

import pathlib

import keras
import numpy as np
import pytest

from keras_hrnet.evaluation import MeanIoU
from keras_hrnet.training import SGD, OhemCrossEntropy

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_compiled_file_trains_on_as_on_the_backend_that_wrote_it(backend):
    model = keras.models.load_model(GOLDEN / f"compiled_on_{backend}.keras")
    assert isinstance(model.optimizer, SGD)
    assert isinstance(model.loss, OhemCrossEntropy)
    with np.load(GOLDEN / "compiled.npz") as arrays:
        images, labels, expected = arrays["images"], arrays["labels"], arrays["losses"]
    losses = [model.train_on_batch(x, y)[0] for x, y in zip(images, labels, strict=True)]
    # The schedule, the velocity, the accumulated gradient and the average all go on from where they were.
    np.testing.assert_allclose(losses, expected, rtol=1e-5)  # measured 1.1e-6
    assert int(model.optimizer.iterations) == 3
    metrics = [metric for metric in model.metrics if metric.name != "loss"]
    assert metrics
    assert isinstance(metrics[0].metrics[0], MeanIoU)
