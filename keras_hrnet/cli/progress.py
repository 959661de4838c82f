"""Progress bars."""

import contextlib

import keras
import rich.progress


@contextlib.contextmanager
def progress_bar(description, total, unit):
    """Shows a bar with the number of things done, their rate and the time left.

    Args:
        description: what is being done.
        total: how many things there are to do.
        unit: what a thing is called, in the plural.

    Yields:
        A function to call after each; keyword arguments of it are shown behind the bar.
    """
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("left"),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[note]}"),
    )
    with rich.progress.Progress(*columns) as progress:
        task = progress.add_task(description, total=total, note="")

        def advance(**values):
            note = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
            progress.update(task, advance=1, note=note)

        yield advance


class TrainingProgress(keras.callbacks.Callback):
    """Shows one bar over all steps of a `fit`, with the running loss.

    Args:
        advance: what `progress_bar` yields.
    """

    def __init__(self, advance):
        super().__init__()
        self.advance = advance

    def on_train_batch_end(self, batch, logs=None):
        self.advance(loss=logs["loss"])
