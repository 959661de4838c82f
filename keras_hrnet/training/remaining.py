"""Finds the rest of the training data after a step."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import torch


def remaining(dataset: Any, epoch: int, step: int, repeats: int = 1) -> tuple[Any, int | None]:
    """Returns the batches of a run from a given step on, which are the same as in an uninterrupted run.

    Data sets of `cityscapes` and `folders` can produce the batches of any step, and continue through all epochs. A
    `PyDataset` that shuffles in `on_epoch_end` is shuffled once for each complete epoch. For other data, the first
    batches of an epoch are skipped; they must be the same in each epoch, or depend only on the state of the random
    generators.

    Args:
        dataset: the training data, of known length.
        epoch: number of complete epochs.
        step: number of steps of the next epoch that are done.
        repeats: number of passes over the data per epoch; more than one requires data that has `from_step`.

    Returns:
        The data for `fit`, and its `steps_per_epoch`: the rest of one epoch, or None if the data has a length.
    """
    length = len(dataset) * repeats
    if hasattr(dataset, "from_step"):
        return dataset.from_step(epoch * length + step), length - step
    if not step:
        return dataset, None
    if isinstance(dataset, keras.utils.PyDataset):
        return _Rest(dataset, step), None
    if hasattr(dataset, "skip"):
        return dataset.skip(step), None
    if getattr(dataset, "batch_sampler", None) is not None:
        return _rest_of_loader(dataset, step), None
    # Keras accepts generators only if they yield tuples.
    return (tuple(batch) for batch in itertools.islice(iter(dataset), step, None)), length - step


def repeat_epoch_ends(dataset: Any, epoch: int, step: int) -> None:
    """Calls `on_epoch_end` of a `PyDataset` as often as an uninterrupted run does before a step: see `remaining`."""
    if not isinstance(dataset, keras.utils.PyDataset):
        return
    # Each `fit` also calls it before its first epoch, except the `fit` that completes an epoch, which has a `_Rest`.
    for _ in range(epoch + (step > 0)):
        dataset.on_epoch_end()


def _rest_of_loader(loader: torch.utils.data.DataLoader, step: int) -> torch.utils.data.DataLoader:
    """Returns a PyTorch `DataLoader` without its first batches, which are not loaded."""
    import torch

    return torch.utils.data.DataLoader(
        loader.dataset,
        batch_sampler=list(loader.batch_sampler)[step:],
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        worker_init_fn=loader.worker_init_fn,
        generator=loader.generator,
    )


class _Rest(keras.utils.PyDataset):
    """A `PyDataset` without its first batches, for one epoch."""

    def __init__(self, dataset, first):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset = dataset
        self.first = first

    def __len__(self):
        return len(self.dataset) - self.first

    def __getitem__(self, index):
        return self.dataset[self.first + index]
