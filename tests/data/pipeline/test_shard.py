import sys
import types

import pytest
import tensorflow as tf

from keras_hrnet.data.pipeline.shard import Shard, shard_of

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("jax", "torch", "keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def jax_of(index, count, started=True):
    return types.SimpleNamespace(
        distributed=types.SimpleNamespace(is_initialized=lambda: started),
        process_index=lambda: index,
        process_count=lambda: count,
    )


def keras_with(auto_shard_dataset):
    distribution = types.SimpleNamespace(auto_shard_dataset=auto_shard_dataset)
    return types.SimpleNamespace(distribution=types.SimpleNamespace(distribution=lambda: distribution))


def test_one_process_reads_everything():
    assert shard_of() == Shard(0, 1)


def test_what_is_asked_for_is_taken():
    assert shard_of((1, 3)) == Shard(1, 3)


def test_processes_of_jax_are_found(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", jax_of(1, 4))
    assert shard_of() == Shard(1, 4)


def test_jax_is_not_asked_before_its_processes_have_met(monkeypatch):
    def process_count():
        raise AssertionError("this starts JAX's devices")

    alone = jax_of(0, 1, started=False)
    alone.process_count = process_count
    monkeypatch.setitem(sys.modules, "jax", alone)
    assert shard_of() == Shard(0, 1)


def test_a_process_group_of_torch_is_found(monkeypatch):
    group = types.SimpleNamespace(
        is_available=lambda: True, is_initialized=lambda: True, get_rank=lambda: 2, get_world_size=lambda: 3
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(distributed=group))
    assert shard_of() == Shard(2, 3)


@pytest.mark.parametrize(
    ("task", "expected"), [(("chief", 0), (0, 3)), (("worker", 1), (2, 3)), (("evaluator", 0), (0, 1))]
)
def test_workers_of_tensorflow_are_found(monkeypatch, task, expected):
    cluster = tf.train.ClusterSpec({"chief": ["a:1"], "worker": ["b:1", "c:1"], "evaluator": ["d:1"]})
    resolver = types.SimpleNamespace(cluster_spec=lambda: cluster, task_type=task[0], task_id=task[1])
    strategy = types.SimpleNamespace(cluster_resolver=resolver)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    assert shard_of() == Shard(*expected)


def test_a_mirrored_strategy_is_one_process():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert shard_of() == Shard(0, 1)


def test_a_distribution_that_shares_out_data_itself_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", jax_of(0, 2))
    monkeypatch.setitem(sys.modules, "keras", keras_with(True))
    with pytest.raises(ValueError, match=r"auto_shard_dataset=True, for process 0 of 2\. Expected False"):
        shard_of()
    monkeypatch.setitem(sys.modules, "keras", keras_with(False))
    assert shard_of() == Shard(0, 2)


@pytest.mark.parametrize(
    ("shard", "error", "message"),
    [
        (3, TypeError, r"shard=3. Expected \(index, count\)"),
        ((0.5, 2), TypeError, "Expected two integers"),
        ((2, 2), ValueError, r"Expected an index from 0 to count − 1. Pass \(0, 2\)"),
        ((-1, 2), ValueError, "Expected an index"),
        ((0, 0), ValueError, "Expected an index"),
    ],
)
def test_no_share_is_refused(shard, error, message):
    with pytest.raises(error, match=message):
        shard_of(shard)
