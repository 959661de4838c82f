"""What a run shows: the bar on a terminal, lines elsewhere, and the time left by a clock of one's own."""

import io

import pytest
import rich.console

from keras_hrnet.training.callbacks import TrainingProgress
from keras_hrnet.training.callbacks.time_left import TimeLeft

pytestmark = pytest.mark.once


def shown(is_terminal, width=100):
    return rich.console.Console(file=io.StringIO(), force_terminal=is_terminal, width=width)


def drive(progress, epochs=range(2), steps=3, scores=(0.5, 0.25), until=None):
    """Calls what `fit` calls, by hand."""
    progress.set_params({"epochs": epochs.stop, "steps": steps})
    progress.on_train_begin()
    for epoch, score in zip(epochs, scores, strict=True):
        progress.on_epoch_begin(epoch)
        for batch in range(3):
            progress.on_train_batch_end(batch, {"loss": 3.0 - batch, "mean_iou": 0.125})
        progress.on_test_begin()
        progress.on_test_batch_end(0, {"loss": 1.0})
        progress.on_test_batch_end(1, {"loss": 1.0})
        if until == epoch:
            return
        progress.on_test_end()
        progress.on_epoch_end(epoch, {"loss": 1.0, "mean_iou": 0.125, "val_mean_iou": score})
    progress.on_train_end()


def test_where_there_is_no_terminal_each_epoch_is_a_line():
    console = shown(False, width=20)
    drive(TrainingProgress(console=console))
    assert console.file.getvalue().splitlines() == [
        "epoch 1/2  step 3/6  0:00:00 left  loss 1.0000  mean_iou 0.1250  val_mean_iou 0.5000  best 0.5000 (epoch 1)",
        "epoch 2/2  step 6/6  loss 1.0000  mean_iou 0.1250  val_mean_iou 0.2500  best 0.5000 (epoch 1)",
    ]


def test_nan_is_shown_and_is_not_the_best():
    console = shown(False)
    drive(TrainingProgress(console=console), scores=(float("nan"), 0.25))
    first, second = console.file.getvalue().splitlines()
    assert first.endswith("val_mean_iou nan")
    assert second.endswith("val_mean_iou 0.2500  best 0.2500 (epoch 2)")


@pytest.mark.parametrize("steps", [3, None])
def test_a_continued_run_counts_on(steps):
    console = shown(False)
    drive(TrainingProgress(console=console), epochs=range(4, 6), steps=steps)
    first, second = console.file.getvalue().splitlines()
    assert first.startswith("epoch 5/6  step 15/18  ")
    assert second.startswith("epoch 6/6  step 18/18  ")


def test_an_epoch_that_was_begun_before_counts_on():
    console = shown(False)
    progress = TrainingProgress(console=console, num_steps=5, num_done=lambda: 2)
    drive(progress, scores=(0.5,), epochs=range(1, 2), steps=None)
    assert console.file.getvalue().startswith("epoch 2/2  step 10/10  ")


def test_on_a_terminal_there_is_one_bar_with_the_values_below():
    console = shown(True)
    progress = TrainingProgress("Training W48", console)
    drive(progress)
    screen = console.file.getvalue()
    assert "Training W48 epoch 2/2" in screen
    assert "6/6" in screen
    assert "left" not in screen.rpartition("6/6")[2]  # At the end there is none, beside the time elapsed.
    assert "val_mean_iou 0.2500  best 0.5000 (epoch 1)" in screen
    assert screen.endswith("\x1b[?25h")  # the cursor is back


def test_validation_shows_that_something_happens():
    console = shown(True)
    progress = TrainingProgress(console=console)
    drive(progress, until=0)
    assert progress.progress.tasks[0].fields["below"].startswith("validating 2  loss 1.0000")
    progress.close()
    drive(progress, until=1)
    assert progress.progress.tasks[0].fields["below"].startswith("validating 2/2  loss 1.0000")
    progress.close()


def test_a_bar_that_nobody_closes_gives_the_cursor_back():
    console = shown(True)
    progress = TrainingProgress(console=console)
    drive(progress, until=0)
    del progress
    assert console.file.getvalue().endswith("\x1b[?25h")


def test_the_time_left_is_that_of_the_steps_and_of_what_comes_between():
    now = [100.0]
    left = TimeLeft(clock=lambda: now[0])
    left.begin_epoch()
    assert left.seconds(10, 2) is None
    now[0] += 60  # compiles
    left.end_steps(1)
    assert left.seconds(9, 2) is None
    for _ in range(2):
        now[0] += 3
        left.end_steps(2)
    assert left.seconds(5, 2) == 5 * 1.5
    now[0] += 20  # validates
    left.end_epoch()
    assert left.seconds(5, 1) == 5 * 1.5 + 20
    left.begin_epoch()
    now[0] += 4
    left.end_steps(1)
    assert left.seconds(4, 1) == 4 * (6 + 4) / 5 + 20
    now[0] += 10
    left.end_epoch()
    assert left.seconds(4, 1) == 4 * (6 + 4) / 5 + (20 + 10) / 2
