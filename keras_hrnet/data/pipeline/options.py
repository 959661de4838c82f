"""The arguments that all data sets share, checked before any file is read."""

import dataclasses
import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from keras_hrnet.data.pipeline.shard import Shard, shard_of
from keras_hrnet.data.transforms.augmentation import Augmentation
from keras_hrnet.suggestion import suggestion


@dataclasses.dataclass(frozen=True)
class Options:
    """The options that turn a data set into batches; see `cityscapes` for the meaning of each.

    `augmentation` is passed as a dict of fields; after the checks, it is an `Augmentation`, or `None` for evaluation
    data. After the checks, `shard` is a `Shard`.
    """

    augment: bool
    augmentation: Any
    batch_size: int = 1
    crop_size: tuple[int, int] | None = None
    class_uniform: float = 0.0
    cache: str | os.PathLike | None = None
    seed: int = 0
    shard: Shard | None = None
    deterministic: bool = True
    num_parallel_calls: int | None = None
    coarse: float = 0.0
    channels: int = 3

    def __post_init__(self) -> None:
        _require_no_training_arguments(self)
        checked = {
            "augmentation": _augmentation(self.augmentation) if self.augment else None,
            "batch_size": _positive_integer("batch_size", self.batch_size),
            "channels": _positive_integer("channels", self.channels),
            "crop_size": _crop_size(self.crop_size),
            "class_uniform": _share("class_uniform", self.class_uniform),
            "coarse": _share("coarse", self.coarse),
            "seed": _seed(self.seed),
            "shard": shard_of(self.shard),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.num_parallel_calls is not None:
            _positive_integer("num_parallel_calls", self.num_parallel_calls)
        if not (self.cache is None or isinstance(self.cache, str | os.PathLike)):
            raise TypeError(f"Received cache={self.cache!r}. Expected 'memory', a folder, or None. Pass one of them.")
        if self.class_uniform + self.coarse > 1:
            raise ValueError(
                f"Received class_uniform={self.class_uniform} and coarse={self.coarse}. Expected shares of one epoch, "
                f"with a sum of at most 1. Lower one of them."
            )
        if self.batch_size % self.shard.count:
            whole = max(1, self.batch_size // self.shard.count) * self.shard.count
            raise ValueError(
                f"Received batch_size={self.batch_size} for {self.shard.count} processes. Expected a multiple of the "
                f"number of processes, because each batch is split across them. Pass {whole}."
            )

    @property
    def local_batch_size(self) -> int:
        """Number of images in the part of a batch that this process reads."""
        return self.batch_size // self.shard.count


def _require_no_training_arguments(options):
    if options.augment:
        return
    given = {
        "crop_size": options.crop_size,
        "class_uniform": options.class_uniform,
        "coarse": options.coarse,
        **options.augmentation,
    }
    given = {name: value for name, value in given.items() if value}
    if given:
        name, value = next(iter(given.items()))
        raise ValueError(
            f"Received {name}={value} for evaluation data. Expected none, because evaluation uses whole, unchanged "
            f"images. Leave {name} out, or pass augment=True to train on this data."
        )


def _augmentation(fields):
    known = [field.name for field in dataclasses.fields(Augmentation)]
    for name in fields:
        if name not in known:
            others = [field.name for field in dataclasses.fields(Options)]
            cure = suggestion(name, known + others) or " Leave it out."
            raise TypeError(f"Received an argument {name}. Expected one of {', '.join(known)}.{cure}")
    return Augmentation(**fields)


def _crop_size(crop_size):
    if crop_size is None:
        return None
    if not isinstance(crop_size, Sequence) or len(crop_size) != 2:
        raise TypeError(f"Received crop_size={crop_size!r}. Expected (height, width). Pass a pair such as (512, 1024).")
    return tuple(_positive_integer("crop_size", size) for size in crop_size)


def _positive_integer(name, value):
    if not isinstance(value, Integral):
        raise TypeError(f"Received {name} with {value!r}. Expected an integer. Pass an integer of at least 1.")
    if value < 1:
        raise ValueError(f"Received {name} with {value}. Expected a positive integer. Pass 1 or more.")
    return int(value)


def _share(name, value):
    if not isinstance(value, Real):
        raise TypeError(f"Received {name}={value!r}. Expected a number from 0 to 1. Pass a share such as 0.5.")
    if not 0 <= value <= 1:
        raise ValueError(f"Received {name}={value!r}. Expected a share of an epoch, from 0 to 1. Pass one such as 0.5.")
    return float(value)


def _seed(seed):
    if not isinstance(seed, Integral):
        raise TypeError(f"Received seed={seed!r}. Expected an integer. Pass one, such as 0.")
    return int(seed)
