"""A full disk is reported or stops the run; other errors are not touched."""

import errno
import os

import pytest

from keras_hrnet.training.callbacks import DespiteFullDisk
from keras_hrnet.training.callbacks.full_disk import reporting_full_disk

pytestmark = pytest.mark.once

FULL = [
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    RuntimeError(f"unable to flush file's cached information (error message = '{os.strerror(errno.ENOSPC)}')"),
]


@pytest.mark.parametrize("error", FULL, ids=range(3))
def test_a_full_disk_is_reported(error):
    reported = pytest.warns(UserWarning, match=r"The disk is full: saving a failed \(.*\)\. .* training continues")
    with reported, reporting_full_disk("saving a"):
        raise error


@pytest.mark.parametrize("error", FULL, ids=range(3))
def test_a_full_disk_stops_where_that_was_asked_for(error):
    with pytest.raises(OSError, match="run the same command again") as stopped, reporting_full_disk("saving a", True):
        raise error
    assert stopped.value.__cause__ is error


@pytest.mark.parametrize("error", [OSError(errno.EIO, "x"), KeyError("x"), KeyboardInterrupt()], ids=repr)
def test_any_other_error_goes_through(error):
    with pytest.raises(type(error)), reporting_full_disk("saving a"):
        raise error


class Writes:
    """Stands for a callback: says what it is called with, and fails at the end of an epoch."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((name, *arguments))
            if name == "on_epoch_end":
                raise OSError(errno.ENOSPC, "full")

        return call


def test_a_callback_is_called_as_without(saves_a_name):
    inner = Writes()
    callback = DespiteFullDisk(inner)
    callback.set_model(saves_a_name)
    callback.set_params({"epochs": 1})
    callback.on_train_begin({})
    with pytest.warns(UserWarning, match="Writes in epoch 3 failed"):
        callback.on_epoch_end(2, {"loss": 1.0})
    callback.on_train_end({})
    assert inner.calls == [
        ("set_model", saves_a_name),
        ("set_params", {"epochs": 1}),
        ("on_train_begin", {}),
        ("on_epoch_end", 2, {"loss": 1.0}),
        ("on_train_end", {}),
    ]
