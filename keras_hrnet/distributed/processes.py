"""Which of the processes that train together this one is, and how many devices share a batch."""

import sys
from typing import NamedTuple


class Process(NamedTuple):
    """One process among those that train together.

    Args:
        index: its number, from 0.
        count: how many there are.
    """

    index: int
    count: int

    @property
    def is_first(self):
        """Whether it is the one that writes files."""
        return self.index == 0


def this_process():
    """Finds out which process this is: of JAX's, of PyTorch's process group, or of the TensorFlow strategy in scope.

    Returns:
        A `Process`; without any distribution, the first of one.
    """
    return _of_jax() or _of_torch() or _of_tensorflow() or Process(0, 1)


def num_devices():
    """Counts the devices that share a batch, in all processes together.

    Returns:
        An integer: of the TensorFlow strategy in scope, of Keras's distribution, or a device for each process.
    """
    tf, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    replicas = getattr(tf.distribute.get_strategy(), "num_replicas_in_sync", 1) if tf else 1
    distribution = keras and keras.distribution.distribution()
    on_mesh = distribution.num_model_replicas if distribution else 1
    return max(replicas, on_mesh, this_process().count)


def texts_of_all(text):
    """Lets each process know a text of each, and waits until all have come here.

    Args:
        text: of this process.

    Returns:
        A list of strings, in the order of the processes.
    """
    process = this_process()
    if process.count == 1:
        return [text]
    if _of_jax():
        return _gathered_by_jax(text)
    if _of_tensorflow():
        return _gathered_by_tensorflow(text, process)
    import torch

    texts = [None] * process.count
    torch.distributed.all_gather_object(texts, text)
    return texts


def _gathered_by_jax(text):
    import numpy as np
    from jax.experimental.multihost_utils import process_allgather as gather

    content = np.frombuffer(text.encode(), "uint8")
    lengths = gather(np.array([len(content)], "int32")).reshape(-1)
    padded = gather(np.pad(content, (0, lengths.max() - len(content))))
    return [row[:length].tobytes().decode() for row, length in zip(padded, lengths, strict=True)]


def _gathered_by_tensorflow(text, process):
    import numpy as np

    tf = sys.modules["tensorflow"]
    strategy = tf.distribute.get_strategy()
    first_device = process.index * (strategy.num_replicas_in_sync // process.count)

    def gather(row):
        # A sum over all devices, where each row is one's own: `strategy.gather` is traced anew, and warns of it.
        own, others = np.zeros([2, process.count, len(row)], "int64")
        own[process.index] = row
        parts = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(own if context.replica_id_in_sync_group == first_device else others)
        )
        return strategy.reduce("SUM", parts, axis=None).numpy()

    content = list(text.encode())
    lengths = gather([len(content)])[:, 0]
    padded = gather(np.pad(content, (0, lengths.max() - len(content))))
    return [bytes(row[:length].tolist()).decode() for row, length in zip(padded, lengths, strict=True)]


def _of_jax():
    jax = sys.modules.get("jax")
    # Asking for the number of processes starts JAX's devices, which must not happen before the processes have met.
    if jax is None or not jax.distributed.is_initialized():
        return None
    return Process(jax.process_index(), jax.process_count())


def _of_torch():
    torch = sys.modules.get("torch")
    if torch is None or not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return None
    return Process(torch.distributed.get_rank(), torch.distributed.get_world_size())


def _of_tensorflow():
    tf = sys.modules.get("tensorflow")
    resolver = tf and getattr(tf.distribute.get_strategy(), "cluster_resolver", None)
    if not resolver or not resolver.cluster_spec():
        return None
    jobs = resolver.cluster_spec().as_dict()
    workers = [(job, task) for job in ("chief", "worker") for task in range(len(jobs.get(job, ())))]
    task = (resolver.task_type, resolver.task_id)
    return Process(workers.index(task), len(workers)) if task in workers else None
