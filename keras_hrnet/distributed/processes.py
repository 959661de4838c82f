"""Identifies this process among those that train together, and exchanges texts between them."""

import sys
from types import ModuleType
from typing import NamedTuple

import numpy as np


class Process(NamedTuple):
    """One process among those that train together: its index, from 0, and the number of processes."""

    index: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.index == 0


def this_process() -> Process:
    """Returns this process: one of JAX's, of PyTorch's process group, or of the TensorFlow strategy in scope.

    Without any distribution, it is the only process.
    """
    return _of_jax() or _of_torch() or _of_tensorflow() or Process(0, 1)


def num_devices() -> int:
    """Returns the number of devices that share a batch, in all processes together.

    These are the devices of the TensorFlow strategy in scope, those of Keras's distribution, or one in each process.
    """
    tf, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    replicas = getattr(tf.distribute.get_strategy(), "num_replicas_in_sync", 1) if tf else 1
    distribution = keras and keras.distribution.distribution()
    on_mesh = distribution.num_model_replicas if distribution else 1
    return max(replicas, on_mesh, this_process().count)


def torch_group() -> ModuleType | None:
    """Returns `torch.distributed` if this process belongs to a process group; otherwise None."""
    torch = sys.modules.get("torch")
    group = torch and torch.distributed
    return group if group and group.is_available() and group.is_initialized() else None


def gather_texts(text: str) -> list[str]:
    """Waits until every process has passed a text, and returns all texts, in the order of the processes."""
    process = this_process()
    if process.count == 1:
        return [text]
    if torch_group():
        texts = [None] * process.count
        torch_group().all_gather_object(texts, text)
        return texts
    gather = _gather_on_jax if _of_jax() else _gather_on_tensorflow
    content = np.frombuffer(text.encode(), "uint8")
    lengths = gather(np.array([len(content)], "int32"), process)[:, 0]
    padded = gather(np.pad(content, (0, lengths.max() - len(content))), process)
    return [bytes(row[:length].tolist()).decode() for row, length in zip(padded, lengths, strict=True)]


def _gather_on_jax(row: np.ndarray, process: Process) -> np.ndarray:
    from jax.experimental.multihost_utils import process_allgather

    return process_allgather(row).reshape(process.count, -1)


def _gather_on_tensorflow(row: np.ndarray, process: Process) -> np.ndarray:
    tf = sys.modules["tensorflow"]
    strategy = tf.distribute.get_strategy()
    first_device = process.index * (strategy.num_replicas_in_sync // process.count)
    # A sum over all devices in which each device fills its own row: `strategy.gather` is retraced, and warns about it.
    own, others = np.zeros([2, process.count, len(row)], "int64")
    own[process.index] = row
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(own if context.replica_id_in_sync_group == first_device else others)
    )
    return strategy.reduce("SUM", parts, axis=None).numpy()


def _of_jax() -> Process | None:
    jax = sys.modules.get("jax")
    # Querying the number of processes starts JAX's devices, which must not happen before the processes are connected.
    if jax is None or not jax.distributed.is_initialized():
        return None
    return Process(jax.process_index(), jax.process_count())


def _of_torch() -> Process | None:
    group = torch_group()
    return Process(group.get_rank(), group.get_world_size()) if group else None


def _of_tensorflow() -> Process | None:
    tf = sys.modules.get("tensorflow")
    resolver = tf and getattr(tf.distribute.get_strategy(), "cluster_resolver", None)
    if not resolver or not resolver.cluster_spec():
        return None
    jobs = resolver.cluster_spec().as_dict()
    workers = [(job, task) for job in ("chief", "worker") for task in range(len(jobs.get(job, ())))]
    task = (resolver.task_type, resolver.task_id)
    return Process(workers.index(task), len(workers)) if task in workers else None
