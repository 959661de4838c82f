"""Names from files are shown, and do nothing else."""

import pytest

from keras_hrnet.printable import printable

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[2Jb\x07.png", r"a\x1b[2Jb\x07.png"),
        ("a\nb\t\0\x7f\x9b", r"a\nb\t\x00\x7f\x9b"),
        ("a\u202egnp.exe", r"a\u202egnp.exe"),
        ("a\udcff", r"a\udcff"),  # How Python stores a name that is not UTF-8.
        ("-rf [/] {x} 街 👩‍🔬 é", "-rf [/] {x} 街 👩‍🔬 é"),
    ],
)
def test_control_characters_are_written_out_and_all_others_stay(name, shown):
    assert printable(name) == shown
    shown.encode()


def test_a_text_keeps_its_lines():
    assert printable("a\n\tb\r", is_text=True) == "a\n\tb\\r"
