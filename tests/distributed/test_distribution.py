"""`distributed`: which devices and processes it takes, and what it refuses."""

import keras
import pytest

from keras_hrnet.distributed import replicas
from keras_hrnet.training import distributed

BACKEND = keras.config.backend()


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"devices": 2, "hosts": ["a:1"]}, ValueError, r"devices=2 and hosts=\['a:1'\]. Expected at most one of them"),
        ({"process": 1}, ValueError, "process=1 without hosts"),
        ({"hosts": "a:1,b:1", "process": 0}, TypeError, "Expected a list of strings"),
        ({"hosts": ["a"], "process": 0}, ValueError, r"host 'a'. Expected host:port. Pass one such as a:2222"),
        ({"hosts": ["a:1", "a:1"], "process": 0}, ValueError, "lists an address twice"),
        ({"hosts": ["a:1", "b:1"]}, TypeError, "process=None. Expected an integer. Pass one from 0 to 1"),
        ({"hosts": ["a:1", "b:1"], "process": 2}, ValueError, "process=2 for 2 hosts"),
        ({"devices": 1.5}, TypeError, "devices=1.5. Expected an integer"),
        ({"devices": -1}, ValueError, "devices=-1. Expected at least 0"),
    ],
    ids=range(9),
)
def test_what_cannot_be_is_refused(arguments, error, message):
    with pytest.raises(error, match=message), distributed(**arguments):
        pass


def test_what_the_backend_has_not_is_refused():
    if BACKEND == "torch":
        expected = r"devices=99 on PyTorch. Expected hosts"
    else:
        expected = rf"devices=99. Expected at most \d: {BACKEND} sees .*pu:0. Pass \d"
    with pytest.raises(ValueError, match=f"(?i){expected}"), distributed(99):
        pass


def test_processes_of_tensorflow_must_meet_before_it_computes():
    if BACKEND != "tensorflow":
        pytest.skip("JAX and PyTorch may compute before their processes meet")
    keras.ops.ones(1)
    message = r"hosts=\['a:1', 'b:1'\] after TensorFlow had computed something .*inside `distributed`"
    with pytest.raises(RuntimeError, match=message), distributed(None, ["a:1", "b:1"], 0):
        pass


def test_one_device_is_no_distribution():
    with distributed(1):
        assert replicas.num_replicas() == 1
        assert keras.distribution.distribution() is None
