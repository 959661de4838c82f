"""Determines the part of the data that this process reads, if several train together."""

import sys
from numbers import Integral
from typing import NamedTuple

from keras_hrnet.distributed.processes import this_process


class Shard(NamedTuple):
    """One process among those that train together.

    Args:
        index: index of the process, from 0.
        count: number of processes.
    """

    index: int
    count: int


def shard_of(shard: tuple[int, int] | None = None) -> Shard:
    """Checks a given shard, or determines the shard of this process.

    Args:
        shard: `(index, count)`, or `None` for the running distribution: JAX's processes, PyTorch's process group, or
            the TensorFlow strategy in whose scope this is called. Without any, one process reads everything.

    Raises:
        TypeError: if the shard is not a pair of integers.
        ValueError: if there is no such shard, or if Keras would shard the data a second time.
    """
    if shard is None:
        shard = Shard(*this_process())
        _require_no_second_sharding(shard)
        return shard
    try:
        index, count = shard
    except (TypeError, ValueError) as error:
        raise TypeError(f"Received shard={shard!r}. Expected (index, count). Pass a pair such as (0, 2).") from error
    if not (isinstance(index, Integral) and isinstance(count, Integral)):
        raise TypeError(f"Received shard={shard!r}. Expected two integers. Pass a pair such as (0, 2).")
    if not 0 <= index < count:
        raise ValueError(
            f"Received shard={shard!r}. Expected an index from 0 to count − 1. Pass ({index % max(count, 1)}, "
            f"{max(count, 1)}), or the index of this process and the number of processes."
        )
    return Shard(int(index), int(count))


def _require_no_second_sharding(shard):
    keras = sys.modules.get("keras")
    distribution = keras and shard.count > 1 and keras.distribution.distribution()
    if distribution and getattr(distribution, "auto_shard_dataset", False):
        raise ValueError(
            f"Received a Keras distribution with auto_shard_dataset=True, for process {shard.index} of "
            f"{shard.count}. Expected False, because this dataset already gives each process its own part of the "
            "files, and Keras would shard it a second time. Make the distribution with auto_shard_dataset=False."
        )
