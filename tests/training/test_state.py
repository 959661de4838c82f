"""The state of a training: taken and put back to the last bit, and written whole or not at all."""

import errno
import os
import random

import keras
import numpy as np
import pytest

from keras_hrnet.training import SGD
from keras_hrnet.training.callbacks import Saves
from keras_hrnet.training.state import TrainingState, read_state, set_generators, write_state


@pytest.fixture
def trained():
    """A network after three steps, two of which are added up, with averages, and its state."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    metric = keras.metrics.MeanSquaredError()
    optimizer = SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2)
    model.compile(optimizer, "mse", metrics=[metric])
    optimizer.build(model.trainable_variables)
    for _ in range(3):
        model.train_on_batch(np.eye(3, dtype="float32"), np.ones((3, 2), "float32"))
    return model, TrainingState(model, [metric])


def same(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def test_what_was_taken_is_put_back_to_the_last_bit(trained, tmp_path):
    model, state = trained
    before = state.take()
    write_state(tmp_path / "state.npz", before, {"step": 3})
    drawn = random.random(), np.random.random()
    model.train_on_batch(np.eye(3, dtype="float32"), np.ones((3, 2), "float32"))
    after = state.take()
    # Weights, both accumulators or velocities and averages, steps, counts, the seed of dropout, and the generators.
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert {name.partition("/")[0] for name in changed} >= {"network", "optimizer", "metrics", "generators"}
    arrays, position = read_state(tmp_path / "state.npz")
    assert same(arrays, before)
    assert position == {"step": 3}
    state.check(arrays)
    state.put(arrays)
    set_generators(arrays)
    assert same(state.take(), before)
    assert (random.random(), np.random.random()) == drawn


def test_what_was_taken_does_not_change_with_the_model(trained):
    model, state = trained
    before = state.take()
    copies = {name: array.copy() for name, array in before.items()}
    model.train_on_batch(np.eye(3, dtype="float32"), np.ones((3, 2), "float32"))
    assert same(before, copies)


def test_counts_can_be_left_out(trained):
    model, state = trained
    before = state.take()
    model.reset_metrics()
    state.put(before, counts=False)
    assert all((array == 0).all() for name, array in state.take().items() if name.startswith("metrics/"))


def test_the_state_of_another_network_is_refused(trained):
    _, state = trained
    arrays = state.take()
    with pytest.raises(ValueError, match=r"or with other shapes\. Expected the state of the same network .* Delete it"):
        state.check({**arrays, "network/0": np.zeros((3, 5))})
    with pytest.raises(ValueError, match=r"for a run with \d+, or with other shapes"):
        state.check({name: array for name, array in arrays.items() if name != "network/0"})


GOOD = {"epoch": 0, "step": 2, "seconds": 1.0}


def read_saved(folder, state, arrays, position):
    write_state(folder / "resume.npz", arrays, position)
    return Saves(folder / "resume.npz", state, num_steps=10, num_epochs=3).read()


def test_a_save_that_does_not_fit_the_training_is_named(trained, tmp_path):
    _, state = trained
    arrays = state.take()
    assert read_saved(tmp_path, state, arrays, GOOD) == (0, 2, 1.0)
    with pytest.raises(ValueError, match=r"resume\.npz' does not match this run\. Received the state of a run"):
        read_saved(tmp_path, state, {**arrays, "network/0": np.zeros((3, 5))}, GOOD)
    with pytest.raises(ValueError, match=r"resume\.npz' does not match .* random generators cannot be restored"):
        read_saved(tmp_path, state, {**arrays, "generators": np.array('{"python": [3, [1], null], "numpy": []}')}, GOOD)
    for position in ({**GOOD, "epoch": 3}, {**GOOD, "step": -1}, {**GOOD, "seconds": "1"}, {"epoch": 0}):
        with pytest.raises(ValueError, match=r"resume\.npz' does not match .* within 3 epochs of 10 steps"):
            read_saved(tmp_path, state, arrays, position)


def test_the_save_of_another_run_of_the_same_network_is_refused(trained, tmp_path):
    _, state = trained
    write_state(tmp_path / "resume.npz", state.take(), {**GOOD, "run": "one"})
    saves = [Saves(tmp_path / "resume.npz", state, 10, 3, run_id=name) for name in ("one", "other")]
    assert saves[0].read() == (0, 2, 1.0)
    with pytest.raises(ValueError, match=r"save of a run with other settings, data or initial weights. Expected"):
        saves[1].read()


def test_weights_that_are_nan_are_found(trained):
    _, state = trained
    arrays = state.take()
    assert state.is_finite(arrays)
    kernel = next(name for name, array in arrays.items() if name.startswith("network/") and array.shape == (3, 2))
    arrays[kernel] = np.full((3, 2), np.inf)
    assert not state.is_finite(arrays)


def test_bfloat16_is_kept(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="bfloat16")])
    model.compile("sgd", "mse")
    state = TrainingState(model, [])
    before = state.take()
    write_state(tmp_path / "state.npz", before, {})
    model.set_weights([0 * weight for weight in model.get_weights()])
    state.put(read_state(tmp_path / "state.npz")[0])
    assert same(state.take(), before)


def fail_to_write(path, **arrays):
    path.write_bytes(b"half a file")
    raise OSError(errno.EIO, "write")


def fail(name):
    def call(*arguments):
        raise OSError(errno.EIO, name)

    return call


FAULTS = {"savez": (np, fail_to_write), "fsync": (os, fail("fsync")), "replace": (os, fail("replace"))}


@pytest.mark.once
@pytest.mark.parametrize("name", FAULTS)
def test_a_save_that_fails_leaves_the_one_of_before(name, tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    write_state(path, {"network/0": np.arange(3)}, {"step": 1})
    place, fault = FAULTS[name]
    with monkeypatch.context() as patch:
        patch.setattr(place, name, fault)
        with pytest.raises(OSError, match=name if name != "savez" else "write"):
            write_state(path, {"network/0": np.arange(4)}, {"step": 2})
    arrays, position = read_state(path)
    assert (arrays["network/0"].tolist(), position) == ([0, 1, 2], {"step": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.once
def test_a_save_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        whole = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *arguments, name=name, whole=whole: calls.append(name) or whole(*arguments)
        )
    write_state(tmp_path / "state.npz", {}, {})
    assert calls == ["fsync", "replace"]


@pytest.mark.once
def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    write_state(path, {"network/0": np.arange(99)}, {"step": 1})
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"PK", whole.replace(bytes([7, 0, 0, 0]), bytes([8, 0, 0, 0]), 1)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"state\.npz', which is damaged .* or delete it to start over"):
            read_state(path)
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / "other.npz")
