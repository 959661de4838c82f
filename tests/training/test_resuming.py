"""A training that is interrupted anywhere goes on when it is called again, and ends as if nothing had happened."""

import csv
import errno
import json
import os
import shutil
import signal
import threading
import time

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.training import read_run
from keras_hrnet.training.run import weights_hash
from keras_hrnet.training.state import read_state

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

SIZE = (16, 16)
NUM_BATCHES, NUM_EPOCHS = 5, 3
# Accumulated gradients of one batch are left at the end of the first epoch.
SETTINGS = {
    "recipe": "fine_tuning", "epochs": NUM_EPOCHS, "learning_rate": 0.05, "warmup_epochs": 0.5, "head_rate": 1.0,
    "batch_size": 4, "gradient_accumulation": 2, "ema": 0.7, "validate_every": 2,
}  # fmt: skip


class Batches(keras.utils.PyDataset):
    """Two classes that the red channel tells apart, in an order that is drawn at the end of each epoch."""

    def __init__(self, num_batches, seed, shuffles=True):
        super().__init__()
        generator = np.random.default_rng(seed)
        self.images = generator.integers(0, 256, (num_batches, 2, *SIZE, 3), dtype="uint8")
        self.labels = (self.images[..., 0] > 127).astype("uint8")
        self.generator = generator
        self.shuffles = shuffles
        self.order = np.arange(num_batches)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[self.order[index]], self.labels[self.order[index]]

    def on_epoch_end(self):
        if self.shuffles:
            self.generator.shuffle(self.order)


def network():
    """Normalization, dropout with a seed, and dropout that on PyTorch draws from the generator of all."""
    keras.utils.set_random_seed(7)
    image = keras.Input((*SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3, seed=3)(x)
    x = keras.layers.Conv2D(4, 1, activation="relu")(x)
    x = keras.layers.Dropout(0.3)(x)
    return keras.Model(image, keras.layers.Conv2D(2, 1)(x), name="small")


def train(folder, *callbacks, **options):
    data = Batches(NUM_BATCHES, seed=0), Batches(2, seed=1, shuffles=False)
    options = {**SETTINGS, "save_minutes": 0, **options}
    return keras_hrnet.train(network(), *data, run_dir=folder, callbacks=callbacks, **options)


class KilledError(Exception):
    """Stands for SIGKILL: nothing of what follows in the process happens."""


class At(keras.callbacks.Callback):
    """Does something after a step, counted over all epochs, or within a validation, or after it."""

    def __init__(self, action, step=None, moment="step"):
        super().__init__()
        self.action, self.step, self.moment, self.count = action, step, moment, 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        self._act("step")

    def on_test_batch_end(self, batch, logs=None):
        self._act("validation")

    def on_epoch_end(self, epoch, logs=None):
        self._act("epoch")

    def _act(self, moment):
        if self.moment == moment and self.step in (None, self.count):
            self.action()


def kill():
    raise KilledError


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def outcome(model, folder):
    """Returns all that two runs must have in common."""
    last = keras.models.load_model(folder / "last.keras")
    optimizer = [keras.ops.convert_to_numpy(variable).tobytes() for variable in last.optimizer.variables]
    rows = list(csv.DictReader((folder / "log.csv").read_text().splitlines()))
    result = {name: value for name, value in read_run(folder)["result"].items() if name != "seconds"}
    best = json.loads((folder / "best.json").read_text())
    return weights_hash(model), weights_hash(last), optimizer, rows, result, best


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, without_pictures):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    return outcome(train(folder, save_minutes=10), folder)


def test_every_second_epoch_is_validated_and_the_last_one(undisturbed):
    rows = undisturbed[3]
    assert [row["val_mean_iou"] != "NA" for row in rows] == [False, True, True]


def test_kills_change_nothing_for_adamw_either(tmp_path):
    options = {"optimizer": "adamw", "clip_norm": 1.0}
    undisturbed = outcome(train(tmp_path / "undisturbed", save_minutes=10, **options), tmp_path / "undisturbed")
    with pytest.raises(KilledError):
        train(tmp_path / "killed", At(kill, 8), **options)
    assert outcome(train(tmp_path / "killed", **options), tmp_path / "killed") == undisturbed


@pytest.mark.parametrize(
    ("steps", "save_minutes"),
    [([1, 2, 1], 0), *(pytest.param(*case, marks=pytest.mark.once) for case in (([7, 4], 0), ([9], 10)))],
    ids=str,
)
def test_kills_between_steps_change_nothing(steps, save_minutes, undisturbed, tmp_path, capsys):
    for step in steps:
        with pytest.raises(KilledError):
            train(tmp_path, At(kill, step), save_minutes=save_minutes)
    # User callbacks come before the save: the step after which the process is killed is lost.
    done = sum(steps) - len(steps) if save_minutes == 0 else 0
    model = train(tmp_path)
    assert outcome(model, tmp_path) == undisturbed
    text = f"after step {done % NUM_BATCHES} of epoch {done // NUM_BATCHES + 1}" if done else "epoch 1/3"
    assert text in capsys.readouterr().out
    assert not (tmp_path / "resume.npz").exists()


def test_a_kill_after_a_validation_changes_nothing(undisturbed, tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, At(kill, 2 * NUM_BATCHES, "epoch"))
    assert outcome(train(tmp_path), tmp_path) == undisturbed


@pytest.mark.parametrize(
    ("step", "moment", "saved"),
    [
        (3, "step", (0, 3)),
        pytest.param(5, "step", (1, 0), marks=pytest.mark.once),
        pytest.param(10, "validation", (1, 4), marks=pytest.mark.once),
    ],
)
def test_sigterm_saves_first(step, moment, saved, undisturbed, tmp_path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        train(tmp_path, At(terminate, step, moment), save_minutes=10)
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    _, position = read_state(tmp_path / "resume.npz")
    assert (position["epoch"], position["step"]) == saved
    message = f"Stopped by SIGTERM. Step {saved[1]} of epoch {saved[0] + 1} is saved in"
    assert message in capsys.readouterr().err
    assert outcome(train(tmp_path), tmp_path) == undisturbed


@pytest.fixture
def _foreground():
    """In the background of a shell, processes ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_foreground")
def test_ctrl_c_saves_first_and_the_bar_counts_on(undisturbed, tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, At(interrupt, 3), save_minutes=10)
    assert signal.getsignal(signal.SIGINT) is before
    said = capsys.readouterr().err
    assert "Saving after this step. Press Ctrl-C again to stop without saving." in said
    assert "Stopped by Ctrl-C. Step 3 of epoch 1 is saved in" in said
    assert "The same command resumes from there." in said
    assert outcome(train(tmp_path), tmp_path) == undisturbed
    assert "epoch 1/3  step 5/15" in capsys.readouterr().out


@pytest.mark.once
@pytest.mark.usefixtures("_foreground")
def test_a_second_ctrl_c_does_not_wait(tmp_path):
    def twice():
        interrupt()
        time.sleep(0.2)  # Two signals that come at once are one.
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, At(twice, 3), save_minutes=10)
    assert not (tmp_path / "resume.npz").exists()


@pytest.mark.once
def test_a_complete_run_is_not_trained_again(undisturbed, tmp_path, capsys):
    with pytest.raises(SystemExit):  # though the training is complete
        train(tmp_path, At(terminate, NUM_BATCHES * NUM_EPOCHS, "epoch"))
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != ".lock"}
    assert outcome(train(tmp_path, At(kill)), tmp_path) == undisturbed
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != ".lock"} == written
    assert f"The run in {tmp_path} is complete." in capsys.readouterr().out


@pytest.mark.once
def test_a_folder_that_is_deleted_is_written_anew(undisturbed, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(KilledError), pytest.warns(UserWarning, match=r"resume\.npz' was deleted during the run"):
        train(folder, At(lambda: shutil.rmtree(folder), 6), At(kill, 8))
    assert [path.name for path in folder.iterdir()] == ["resume.npz"]
    # The network of the best epoch is lost with the folder; that of the last one ends as it would have.
    train(folder)
    assert outcome(train(folder), folder)[1:3] == undisturbed[1:3]


@pytest.mark.once
def test_a_training_in_another_thread_leaves_signals_alone(tmp_path):
    thread = threading.Thread(target=lambda: train(tmp_path, epochs=2))
    thread.start()
    thread.join()
    assert read_run(tmp_path)["result"]["validations"] == 1


@pytest.mark.once
def test_a_callback_that_stops_the_rest_of_an_epoch_stops_the_run(tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, At(kill, 3))

    def stop():
        stopping.model.stop_training = True

    stopping = At(stop, moment="epoch")
    train(tmp_path, stopping)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2
    assert read_run(tmp_path)["result"]["validations"] == 0


@pytest.fixture
def faulty(monkeypatch):
    """Returns a function that lets all saves but the first fail with an error."""
    replace = os.replace

    def install(code):
        saved = []

        def fail(source, target):
            saved.extend([target] if target.name == "resume.npz" else [])
            if len(saved) > 1 and target.name == "resume.npz":
                raise OSError(code, os.strerror(code))
            replace(source, target)

        monkeypatch.setattr(os, "replace", fail)

    return install


@pytest.mark.once
def test_a_full_disk_is_reported_and_the_run_goes_on(faulty, undisturbed, tmp_path, monkeypatch):
    faulty(errno.ENOSPC)
    reported = pytest.warns(UserWarning, match=r"The disk is full: saving step [23] of epoch 1 .* training continues\.")
    with reported as warned, pytest.raises(KilledError):
        train(tmp_path, At(kill, 4))
    assert sum("disk is full" in str(warning.message) for warning in warned) == 2
    assert read_state(tmp_path / "resume.npz")[1]["step"] == 1
    assert not list(tmp_path.glob(".*-part*"))
    monkeypatch.undo()
    assert outcome(train(tmp_path), tmp_path) == undisturbed


@pytest.mark.once
@pytest.mark.parametrize(
    ("code", "options", "message"),
    [
        (errno.ENOSPC, {"stop_on_full_disk": True}, "The disk is full: saving step 2 of epoch 1"),
        (errno.EIO, {}, os.strerror(errno.EIO)),
    ],
    ids=["full disk", "other fault"],
)
def test_a_fault_stops_the_run_and_leaves_the_last_save(code, options, message, faulty, tmp_path):
    faulty(code)
    with pytest.raises(OSError, match=message) as stopped:
        train(tmp_path, **options)
    assert stopped.value.errno == code
    assert read_state(tmp_path / "resume.npz")[1]["step"] == 1
    assert not list(tmp_path.glob(".*-part*"))


@pytest.mark.once
def test_a_full_disk_spoils_neither_the_log_nor_the_best_network(tmp_path, monkeypatch):
    fsync, failed = os.fsync, []

    def full(descriptor):
        failed.append(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            monkeypatch.setattr(os, "fsync", full if epoch == 1 else fsync)

    options = {"validate_every": 1, "save_minutes": 10}
    with pytest.warns(UserWarning, match=r"The disk is full: (Log|Checkpoints) in epoch 2 failed") as warned:
        train(tmp_path, Full(), **options)
    # Of a log, and of a network if it was the best.
    assert sum("disk is full" in str(warning.message) for warning in warned) == len(failed) >= 1
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "2"]
    assert keras.models.load_model(tmp_path / "best.keras")


@pytest.mark.parametrize("start", ["new", "resumed"])
def test_a_loss_of_nan_names_the_step_and_the_last_good_save(start, tmp_path):
    if start == "resumed":
        with pytest.raises(KilledError):
            train(tmp_path, At(kill, 4))

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == (0 if start == "resumed" else 3):
                if keras.config.backend() == "jax":
                    self.model.jax_state_sync()
                for variable in self.model.trainable_variables:
                    variable.assign(np.full(variable.shape, np.nan))

    with pytest.raises(RuntimeError, match=r"loss=nan in step 4 of epoch 1\..* good checkpoint is '.*resume\.npz'"):
        train(tmp_path, Spoil())
    arrays, position = read_state(tmp_path / "resume.npz")
    assert position["step"] == 3
    assert all(np.isfinite(array).all() for name, array in arrays.items() if name.startswith("network/"))


def test_weights_that_are_nan_are_not_saved(tmp_path):
    class Spoil(keras.callbacks.Callback):
        """What an infinite gradient does: the loss of the step was finite, and that of the next one can be."""

        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                if keras.config.backend() == "jax":
                    self.model.jax_state_sync()
                self.model.trainable_variables[0].assign(np.full((3, 3, 3, 4), np.nan))

    with pytest.raises(RuntimeError, match=r"NaN or infinite after step 3 of epoch 1\..* Step 2 of epoch 1 is saved"):
        train(tmp_path, Spoil())
    assert read_state(tmp_path / "resume.npz")[1]["step"] == 2


@pytest.mark.parametrize(
    "kind", [pytest.param("tf.data", marks=pytest.mark.once), "tf.data from a step on", "DataLoader"]
)
def test_data_that_is_only_gone_through_goes_on_too(kind, tmp_path):
    import tensorflow as tf

    source = Batches(NUM_BATCHES, seed=0)
    images, labels = source.images.reshape(-1, *SIZE, 3), source.labels.reshape(-1, *SIZE)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(2)
    if kind == "DataLoader":
        if keras.config.backend() != "torch":
            pytest.skip("`DataLoader` belongs to PyTorch")
        import torch

        tensors = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
        data = torch.utils.data.DataLoader(tensors, 2)
    elif kind != "tf.data":
        data.from_step = lambda step, data=data: data.repeat().skip(step)

    def run(folder, *callbacks):
        val = Batches(2, seed=1, shuffles=False)
        options = {**SETTINGS, "save_minutes": 0, "run_dir": folder, "callbacks": callbacks}
        return weights_hash(keras_hrnet.train(network(), data, val, **options))

    for step in (3, 5):
        with pytest.raises(KilledError):
            run(tmp_path / "killed", At(kill, step))
    assert run(tmp_path / "killed") == run(tmp_path / "undisturbed")
