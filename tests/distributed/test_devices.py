"""What several devices would train otherwise than one is refused before the first step, and so is what none can do."""

import keras
import numpy as np
import pytest

from keras_hrnet.distributed import processes, replicas
from keras_hrnet.distributed.workers import shared_out
from keras_hrnet.layers import BatchNorm
from keras_hrnet.training import SGD, checks, distributed, sgd

BACKEND = keras.config.backend()


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"devices": 2, "hosts": ["a:1"]}, ValueError, r"devices=2 and hosts=\['a:1'\]. Expected one of them"),
        ({"process": 1}, ValueError, "process=1 without hosts"),
        ({"hosts": "a:1,b:1", "process": 0}, TypeError, "Expected a list of strings"),
        ({"hosts": ["a"], "process": 0}, ValueError, r"host 'a'. Expected host:port. Pass one such as a:2222"),
        ({"hosts": ["a:1", "a:1"], "process": 0}, ValueError, "one of them twice"),
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
        expected = rf"devices=99. Expected at most \d, as {BACKEND} sees .*pu:0. Pass \d"
    with pytest.raises(ValueError, match=f"(?i){expected}"), distributed(99):
        pass


def test_processes_of_tensorflow_must_meet_before_it_computes():
    if BACKEND != "tensorflow":
        pytest.skip("the others may compute before")
    keras.ops.ones(1)
    message = r"hosts=\['a:1', 'b:1'\] where TensorFlow has computed something already .*inside of `distributed`"
    with pytest.raises(RuntimeError, match=message), distributed(None, ["a:1", "b:1"], 0):
        pass


@pytest.mark.once
@pytest.mark.parametrize("rows", [4, None], ids=["known", "unknown"])
def test_each_device_of_a_process_gets_its_part_of_a_batch(rows):
    import tensorflow as tf

    images, labels = np.arange(16).reshape(2, 4, 2), np.arange(8).reshape(2, 4)
    signature = tf.TensorSpec((rows, 2), "int64"), tf.TensorSpec((rows,), "int64")
    batches = tf.data.Dataset.from_generator(lambda: zip(images, labels, strict=True), output_signature=signature)
    parts = shared_out(batches, 2)
    assert parts.element_spec[0].shape.as_list() == [rows and 2, 2]
    for found, expected in zip(zip(*parts, strict=True), (images.reshape(4, 2, 2), labels.reshape(4, 2)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_one_device_is_no_distribution():
    with distributed(1):
        assert replicas.num_replicas() == 1
        assert keras.distribution.distribution() is None


def network(norm, dtype="float32"):
    image = keras.Input((8, 8, 3))
    return keras.Model(image, keras.layers.Conv2D(2, 1, dtype=dtype)(norm(dtype=dtype)(image)), name="small")


def in_float16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return network(BatchNorm)
    finally:
        keras.config.set_dtype_policy(before)


class TestCheckDevices:
    @pytest.fixture(autouse=True)
    def _two(self, monkeypatch):
        monkeypatch.setattr(checks, "num_devices", lambda: 2)

    def test_a_batch_that_cannot_be_shared_is_refused(self):
        import tensorflow as tf

        data = tf.data.Dataset.from_tensors((np.zeros((3, 8, 8, 3)), np.zeros((3, 8, 8)))).unbatch().batch(3, True)
        with pytest.raises(ValueError, match=r"batches of 3 images in `val` for 2 devices.*with batch_size=2\."):
            checks.check_devices(network(BatchNorm), None, data, False)

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (lambda: network(keras.layers.BatchNormalization), "Use keras_hrnet.layers.BatchNorm, or freeze_norm=True"),
            (in_float16, "dtype='mixed_bfloat16'"),
        ],
        ids=["Keras's normalisation", "mixed_float16"],
    )
    def test_what_is_of_one_replica_alone_is_refused(self, model, message):
        model = model()
        if BACKEND == "jax":
            checks.check_devices(model, None, None, False)
            return
        with pytest.raises(ValueError, match=message):
            checks.check_devices(model, None, None, False)

    def test_a_strategy_of_several_processes_that_fit_fails_under_is_refused(self, monkeypatch):
        if BACKEND != "tensorflow":
            pytest.skip("the others have no strategies")
        monkeypatch.setattr(checks, "this_process", lambda: processes.Process(1, 2))
        with pytest.raises(ValueError, match=r"strategy of 2 processes\. Expected that of `distributed`"):
            checks.check_devices(network(BatchNorm), None, None, False)

    def test_frozen_and_whole_normalisation_is_not(self):
        checks.check_devices(network(keras.layers.BatchNormalization), None, None, True)
        checks.check_devices(network(BatchNorm), None, None, False)
        if BACKEND == "tensorflow":
            layer = keras.layers.BatchNormalization
            checks.check_devices(network(lambda dtype: layer(synchronized=True)), None, None, False)


def test_gradients_are_put_together_before_they_are_clipped(monkeypatch):
    # Of two replicas, the other has the gradient (0, 4): the mean is (1.5, 2), and 2.5 long.
    theirs = keras.ops.convert_to_tensor(np.array([0, 4], "float32"))
    monkeypatch.setattr(sgd, "gradients_of_all", lambda gradients: [(ours + theirs) / 2 for ours in gradients])
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer = SGD(1.0, global_clipnorm=1.25)
    optimizer.build([variable])
    optimizer.apply([keras.ops.convert_to_tensor(np.array([3, 0], "float32"))])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), [-0.75, -1.0], rtol=1e-6)
