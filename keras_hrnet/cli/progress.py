"""Progress bars."""

import contextlib
from collections.abc import Callable, Iterator

import rich.progress

from keras_hrnet.cli.console import Console


@contextlib.contextmanager
def progress_bar(description: str, total: int, unit: str) -> Iterator[Callable[[], None]]:
    """Shows a bar with the number of items done, the time elapsed and the time left.

    Args:
        description: what is being done.
        total: number of items.
        unit: the name of the items, in the plural.

    Yields:
        A function to call after each item.
    """
    columns = (
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("left"),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=Console()) as progress:
        task = progress.add_task(description, total=total)
        yield lambda: progress.advance(task)
