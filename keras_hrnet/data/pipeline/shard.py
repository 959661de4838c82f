"""Which share of the data this process reads, where several train together."""

import sys
from numbers import Integral
from typing import NamedTuple

from keras_hrnet.distributed.processes import this_process


class Shard(NamedTuple):
    """One process among those that train together.

    Args:
        index: its number, from 0.
        count: how many there are.
    """

    index: int
    count: int


def shard_of(shard: tuple[int, int] | None = None) -> Shard:
    """Checks a share that was asked for, or finds out which one this process has.

    Args:
        shard: `(index, count)`, or `None` for what the running distribution says: JAX's processes, PyTorch's process
            group, or the TensorFlow strategy in whose scope this is called. Without any, one process reads everything.

    Raises:
        TypeError: if the share is no pair of integers.
        ValueError: if there is no such share, or if Keras would share out the data once more.
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
            f"{max(count, 1)}), or the number of this process and that of all."
        )
    return Shard(int(index), int(count))


def _require_no_second_sharding(shard):
    keras = sys.modules.get("keras")
    distribution = keras and shard.count > 1 and keras.distribution.distribution()
    if distribution and getattr(distribution, "auto_shard_dataset", False):
        raise ValueError(
            f"Received a Keras distribution with auto_shard_dataset=True, for process {shard.index} of {shard.count}. "
            f"Expected False: this dataset gives each process its own share of the files, and Keras would share it out "
            f"once more. Make the distribution with auto_shard_dataset=False."
        )
