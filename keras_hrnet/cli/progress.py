"""Progress bars."""

import contextlib
import datetime
from collections.abc import Callable, Iterator

import rich.progress
import rich.text

from keras_hrnet.cli.console import Console


class Times(rich.progress.ProgressColumn):
    """Shows the elapsed time and, until all items are done, the time left if the number of items is known."""

    max_refresh = 0.5

    def render(self, task: rich.progress.Task) -> rich.text.Text:
        """Returns a text such as "0:00:05, 0:00:15 left", and at the end "0:00:20"."""
        seconds = task.finished_time if task.finished else task.elapsed
        elapsed = datetime.timedelta(seconds=int(seconds or 0))
        if task.finished or task.total is None:
            return rich.text.Text(str(elapsed))
        left = "-:--:--" if task.time_remaining is None else datetime.timedelta(seconds=int(task.time_remaining))
        return rich.text.Text(f"{elapsed}, {left} left")


@contextlib.contextmanager
def progress_bar(description: str, total: int | None, unit: str) -> Iterator[Callable[[], None]]:
    """Shows a bar with the number of items done, the time elapsed and the time left.

    Args:
        description: description of the work, such as "Scoring".
        total: number of items; None if it is unknown, in which case the time left is not shown.
        unit: name of the items, in the plural.

    Yields:
        A function to call after each item.
    """
    columns = (
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.TextColumn(f"{{task.completed:.0f}}{'' if total is None else f'/{total}'} {unit}"),
        Times(),
    )
    # The speed is averaged over all items so far, because a single item may take longer than the 30 seconds over which
    # rich averages by default.
    with rich.progress.Progress(*columns, console=Console(), speed_estimate_period=float("inf")) as progress:
        task = progress.add_task(description, total=total)
        yield lambda: progress.advance(task)
