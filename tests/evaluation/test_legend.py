"""What a legend shows where there is little room."""

import re

import pytest

from keras_hrnet.evaluation.legend import Legend

pytestmark = pytest.mark.once


def test_a_legend_shows_the_commonest_classes_where_there_is_no_room_for_all():
    entries = [(f"class {i}", (i, i, i)) for i in range(150)]
    legend = Legend(entries, 10, 200, most_rows=3)
    assert [name for name, _ in legend.entries] == [
        "class 0",
        "class 1",
        "class 2",
        "class 3",
        "class 4",
        "and 145 more",
    ]
    assert legend.entries[-1][1] is None


def test_names_that_are_too_long_for_their_column_are_shortened():
    [(name, _)] = Legend([(100 * "x", (1, 2, 3))], 10, 120).entries
    assert re.fullmatch("x+…", name)
