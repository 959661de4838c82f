"""Averaged weights are where they should be: in validation, in best.keras, at the end; and nowhere else."""

import shutil

import keras
import numpy as np
import pytest

from keras_hrnet.training.callbacks import AveragedWeights, Checkpoints, averaged_weights


class Averages(keras.callbacks.Callback):
    """Averages the weights by the definition, and keeps what the model holds when it is validated."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights
        self.averages, self.validated, self.own = None, [], []

    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        own = self.weights(self.model)
        pairs = zip(self.averages or own, own, strict=True)
        self.averages = [0.5 * average + 0.5 * weight for average, weight in pairs]

    def on_test_begin(self, logs=None):
        self.validated.append((self.weights(self.model), self.averages))

    def on_epoch_end(self, epoch, logs=None):
        self.own.append(self.weights(self.model))


def same(left, right, **tolerance):
    for x, y in zip(left, right, strict=True):
        np.testing.assert_allclose(x, y, **{"rtol": 0, "atol": 0, **tolerance})


def differ(left, right):
    return any(np.abs(x - y).max() > 1e-3 for x, y in zip(left, right, strict=True))


class Stop(keras.callbacks.Callback):
    """Ends the run after its second epoch, and keeps the last checkpoint of the first."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            shutil.copy(self.folder / "last.keras", self.folder / "first.keras")
        self.model.stop_training = epoch == 1


@pytest.fixture(scope="module")
def run(network, fit, weights, tmp_path_factory):
    """A run with averages of two epochs, stopped early: the model, what was seen, the folder and the scores."""
    folder = tmp_path_factory.mktemp("run")
    model, watch = network(use_ema=True), Averages(weights)
    scores = fit(model, [AveragedWeights(), watch, Checkpoints(folder), Stop(folder)], epochs=5)
    return model, watch, folder, scores["val_mean_iou"]


def test_validation_sees_the_averages(run):
    _, watch, _, _ = run
    assert len(watch.validated) == 2
    for held, averages in watch.validated:
        same(held, averages, atol=1e-6)  # measured 6e-8
        assert differ(held, watch.own[-1])


def test_training_goes_on_as_without_averages(run, network, fit, weights):
    _, watch, _, _ = run
    plain = Averages(weights)
    fit(network(), [plain], epochs=2)
    for own, expected in zip(watch.own, plain.own, strict=True):
        same(own, expected)


def test_a_run_that_is_stopped_early_ends_with_the_averages(run, weights):
    model, watch, _, _ = run
    same(weights(model), watch.averages, atol=1e-6)


def test_the_best_checkpoint_holds_the_averages(run, weights):
    _, watch, folder, scores = run
    best = keras.models.load_model(folder / "best.keras")
    same(weights(best), watch.validated[int(np.argmax(scores))][0])


def test_the_last_checkpoint_holds_the_own_weights_and_the_averages(run, weights):
    _, watch, folder, _ = run
    last = keras.models.load_model(folder / "last.keras")
    same(weights(last), watch.own[-1])
    with averaged_weights(last):
        same(weights(last), watch.validated[-1][0])
    same(weights(last), watch.own[-1])


def test_a_run_goes_on_from_the_last_checkpoint_as_if_it_had_not_stopped(run, fit, weights):
    _, watch, folder, _ = run
    continued, seen = keras.models.load_model(folder / "first.keras"), Averages(weights)
    fit(continued, [AveragedWeights(), seen], epochs=2, initial_epoch=1)
    same(seen.own[0], watch.own[1])
    same(seen.validated[0][0], watch.validated[1][0])
    # And once more: JAX refuses a second `fit` where model and optimizer share buffers.
    assert np.isfinite(fit(continued, [AveragedWeights()], epochs=1)["loss"][0])


def test_an_error_inside_gives_the_own_weights_back(network, weights):
    model = network(use_ema=True)
    model.optimizer.build(model.trainable_variables)
    own = weights(model)
    with pytest.raises(KeyError), averaged_weights(model):
        assert differ(weights(model), own)
        raise KeyError
    same(weights(model), own)


def test_without_averages_nothing_changes(network, weights):
    for model in (network(), network(use_ema=True), keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])):
        own = weights(model)
        with averaged_weights(model):
            same(weights(model), own)
        same(weights(model), own)
