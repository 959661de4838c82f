"""Sums over the replicas of a network, which each compute a part of every batch, on TensorFlow and PyTorch.

On TensorFlow, a replica is the copy that a `tf.distribute` strategy runs on one device; on PyTorch, it is a process of
the group. JAX has no replicas: one program computes the complete batch, on any number of devices and processes. On JAX,
and if a single replica trains, all functions return their arguments unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

from keras_hrnet.distributed.processes import torch_group

if TYPE_CHECKING:
    import tensorflow as tf
    import torch

# Numbers that PyTorch sends at a time: 64 MiB of float32. Each transfer costs a round of messages, and as much memory.
NUMBERS_AT_A_TIME = 2**24


def num_replicas() -> int:
    """Returns the number of replicas that compute parts of the current batch."""
    if keras.config.backend() == "torch":
        group = torch_group()
        return group.get_world_size() if group else 1
    if keras.config.backend() == "tensorflow":
        context = _context_of_tensorflow()
        return context.num_replicas_in_sync if context else 1
    return 1


def sum_over_replicas(x: keras.KerasTensor) -> keras.KerasTensor:
    """Sums a tensor of the same shape over the replicas; its gradient is also summed over all replicas."""
    if num_replicas() == 1:
        return x
    if keras.config.backend() == "torch":
        return _sum_on_torch(x)
    return _context_of_tensorflow().all_reduce("SUM", x)


def mean_over_replicas(x: keras.KerasTensor) -> keras.KerasTensor:
    """Averages a float tensor of the same shape over the replicas."""
    count = num_replicas()
    return x if count == 1 else sum_over_replicas(x) / count


def gradients_of_all(gradients: Sequence[keras.KerasTensor | None]) -> Sequence[keras.KerasTensor | None]:
    """Returns the gradients of the complete batch.

    These are the mean over PyTorch's processes, each of which has the loss of its part of the batch, and the sum over
    TensorFlow's replicas, whose losses Keras divides by the number of replicas.

    Args:
        gradients: gradients of this replica, with None where there is no gradient; for the same variables on all
            replicas.
    """
    if num_replicas() == 1:
        return gradients
    known = [gradient for gradient in gradients if gradient is not None]
    is_torch = keras.config.backend() == "torch"
    reduced = iter(_mean_on_torch(known) if is_torch else _context_of_tensorflow().all_reduce("SUM", known))
    return [None if gradient is None else next(reduced) for gradient in gradients]


def _context_of_tensorflow() -> tf.distribute.ReplicaContext | None:
    """Returns the context in which one of several replicas is traced; None outside of it, or if there is only one."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


@keras.ops.custom_gradient
def _sum_on_torch(x):
    # `torch.distributed.nn.functional.all_reduce`, which does the same, is deprecated.
    import torch

    def total(x):
        x = x.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(x)
        return x

    return total(x), lambda x, upstream: total(upstream)


def _mean_on_torch(gradients: list[torch.Tensor]) -> list[torch.Tensor]:
    import torch

    means, bucket, size = [], [], 0
    for i, gradient in enumerate(gradients):
        bucket.append(gradient)
        size += gradient.numel()
        follower = gradients[i + 1] if i + 1 < len(gradients) else None
        if follower is None or size + follower.numel() > NUMBERS_AT_A_TIME or follower.dtype != gradient.dtype:
            flat = torch.cat([part.reshape(-1) for part in bucket])
            torch.distributed.all_reduce(flat)
            flat /= torch.distributed.get_world_size()
            parts = flat.split([part.numel() for part in bucket])
            means.extend(part.view(of.shape) for part, of in zip(parts, bucket, strict=True))
            bucket, size = [], 0
    return means
