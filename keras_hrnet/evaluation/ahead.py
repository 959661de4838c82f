"""Runs work ahead on threads, so that a network waits neither for files nor for pictures."""

import collections
import concurrent.futures
import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def num_threads() -> int:
    """Returns the number of threads that read or write: one for each processor, at least 2 and at most 16."""
    affinity = getattr(os, "sched_getaffinity", None)  # Not available on every system.
    return max(2, min(16, len(affinity(0)) if affinity else os.cpu_count() or 1))


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_ahead: int | None = None,
    threads: int | None = None,
) -> Iterator[Result]:
    """Applies a function to items on threads, before the results are needed, and keeps their order.

    The items are drawn on the thread that requests results, so a network that computes items runs only on that thread.
    When the iteration is abandoned, calls that have not begun are canceled, and those that run are completed.

    Args:
        function: called on the threads. An exception that it raises is raised in place of its result.
        items: drawn only as far ahead as `num_ahead` says.
        num_ahead: number of results that may wait; None allows two for each thread.
        threads: number of threads; None uses `num_threads()`. With one thread, the calls follow the order of the items.

    Yields:
        The results, in the order of the items.
    """
    threads = threads or num_threads()
    if num_ahead is None:
        num_ahead = 2 * threads
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > num_ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def draw_ahead(items: Iterator[Item], *, num_ahead: int) -> Iterator[Item]:
    """Draws the items of an iterator on a thread of its own, ahead of their use.

    Args:
        items: an iterator, of items other than None. An exception that it raises is raised in its place.
        num_ahead: number of items that may wait.

    Yields:
        The items, in order.
    """
    with contextlib.closing(
        map_ahead(lambda _: next(items, None), itertools.count(), num_ahead=num_ahead, threads=1)
    ) as drawn:
        for item in drawn:
            if item is None:
                return
            yield item
