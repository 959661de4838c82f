"""Numbers and tables in words."""

import pytest

from keras_hrnet.evaluation.wording import count, mean, percent, short_count, text_table, value

pytestmark = pytest.mark.once


def test_what_is_not_known_is_a_dash_and_sorted_as_nothing():
    assert (percent(0.5), percent(0.12345, 1)) == ("50.00", "12.3")
    assert percent(None) == percent(float("nan")) == "–"
    assert (value(0.25), value(None), value(float("nan"))) == ("0.25", "", "")


def test_a_mean_leaves_out_what_is_not_known():
    assert mean([0.5, float("nan"), 1.0]) == 0.75
    assert mean([float("nan")]) is None


def test_things_are_counted_in_words():
    assert (count(1, "image"), count(2000, "image"), count(2, "class", "classes")) == (
        "1 image",
        "2,000 images",
        "2 classes",
    )


def test_a_table_is_aligned_and_its_sections_have_rules():
    assert text_table(("name", "IoU %"), [("a", "1.00"), ("longer", "100.00")], [], [("mean",)]) == [
        "name      IoU %",
        "───────────────",
        "a          1.00",
        "longer   100.00",
        "───────────────",
        "mean  ",
    ]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (9949, "9.9k"), (9960, "10k"), (999_600, "1.0M"), (2_000_000_000, "2.0G")],
)
def test_counts_are_short(count, words):
    assert short_count(count) == words
