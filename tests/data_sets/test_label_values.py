import pytest

from keras_hrnet.data_sets.label_values import in_words

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "none"),
        ([7], "7"),
        ([1, 0], "0 and 1"),
        ([0, 1, 2], "0 to 2"),
        ([*range(19), 255], "0 to 18 and 255"),
        ([1, 2, 5, 6, 7, 9], "1, 2, 5 to 7 and 9"),
    ],
)
def test_values_are_written_as_runs(values, words):
    assert in_words(values) == words
