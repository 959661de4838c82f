"""Sums over the replicas of a network, the copies that compute a part of each batch, on TensorFlow and PyTorch.

On TensorFlow, a replica is what a `tf.distribute` strategy runs on one device; on PyTorch, a process of the group. On
JAX there are none: what a program computes is of the whole batch, on however many devices and processes. There, as
wherever a single replica trains, all functions give back what they get.
"""

import concurrent.futures
import contextlib

import keras

# Numbers that PyTorch sends at a time: 64 MiB of float32. Each time costs a round of messages, and as much memory.
NUMBERS_AT_A_TIME = 2**24


def num_replicas():
    """Returns how many replicas compute parts of the batch that is being computed, an integer."""
    if keras.config.backend() == "torch":
        import torch

        group = torch.distributed
        return group.get_world_size() if group.is_available() and group.is_initialized() else 1
    if keras.config.backend() == "tensorflow":
        context = _context_of_tensorflow()
        return context.num_replicas_in_sync if context else 1
    return 1


def sum_over_replicas(x):
    """Adds up a tensor over the replicas. The derivative, likewise, is the sum of those on all replicas.

    Args:
        x: a tensor, of one shape on all replicas.

    Returns:
        The sum, of the same shape, on each replica.
    """
    if num_replicas() == 1:
        return x
    if keras.config.backend() == "torch":
        return _sum_on_torch(x)
    return _context_of_tensorflow().all_reduce("SUM", x)


def mean_over_replicas(x):
    """Averages a tensor over the replicas.

    Args:
        x: a float tensor, of one shape on all replicas.

    Returns:
        The mean, of the same shape, on each replica.
    """
    count = num_replicas()
    return x if count == 1 else sum_over_replicas(x) / count


def gradients_of_all(gradients):
    """Gives the gradients of the whole batch.

    That is the mean over PyTorch's processes, of which each has the loss of its part of the batch; and the sum over
    TensorFlow's replicas, whose losses Keras divides by their number.

    Args:
        gradients: a list of tensors, with None where there is no gradient; the same on all replicas.

    Returns:
        A list of tensors of the same shapes.
    """
    if num_replicas() == 1:
        return gradients
    known = [gradient for gradient in gradients if gradient is not None]
    if keras.config.backend() == "torch":
        reduced = _mean_on_torch(known)
    else:
        reduced = _context_of_tensorflow().all_reduce("SUM", known)
    reduced = iter(reduced)
    return [None if gradient is None else next(reduced) for gradient in gradients]


@contextlib.contextmanager
def undistributed():
    """Lets one process make variables of its own while several of JAX or of TensorFlow train together.

    Keras would place them on the devices of all processes, and TensorFlow's strategy would send them the first values:
    each process would have to do the same.

    Yields:
        Nothing.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        with (
            tf.variable_creator_scope(_variable_of_no_strategy)
            if tf.distribute.has_strategy()
            else contextlib.nullcontext()
        ):
            yield
        return
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def _variable_of_no_strategy(next_creator, **options):
    import tensorflow as tf

    # A strategy is left by no public way; but it is that of one thread.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(tf.Variable, **options).result()


def _context_of_tensorflow():
    """Where one replica of several is being traced; None outside of them, and where there is one."""
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


def _mean_on_torch(gradients):
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
