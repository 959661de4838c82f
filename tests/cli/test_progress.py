"""The bar that commands show: times that add up, and no time left at the end."""

import pytest
import rich.progress

from keras_hrnet.cli.progress import Times, progress_bar

pytestmark = pytest.mark.once


def test_a_bar_shows_the_time_left_until_all_is_done():
    now = [0.0]
    progress = rich.progress.Progress(get_time=lambda: now[0], speed_estimate_period=float("inf"))
    progress.add_task("Scoring", total=4)
    (task,) = progress.tasks
    shown = []
    for _ in range(4):
        shown.append(str(Times().render(task)))
        now[0] += 50.0
        progress.advance(task.id)
    shown.append(str(Times().render(task)))
    now[0] += 50.0
    shown.append(str(Times().render(task)))
    assert shown == [
        "0:00:00, -:--:-- left",
        "0:00:50, -:--:-- left",
        "0:01:40, 0:01:40 left",
        "0:02:30, 0:00:50 left",
        "0:03:20",
        "0:03:20",
    ]


def test_where_nobody_knows_the_number_of_items_no_time_left_is_shown(capsys):
    with progress_bar("Segmenting", None, "frames") as advance:
        for _ in range(3):
            advance()
    shown = capsys.readouterr().out
    assert "3 frames" in shown
    assert "left" not in shown
