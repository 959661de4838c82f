"""Every reader answers damaged and hostile files clearly: some hundred here, more by `python -m tests.fuzz`."""

import numpy as np
import pytest

from tests.fuzz.harness import CLEAR, READ, Answer, Inputs, Reader, answer
from tests.fuzz.readers import READERS

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", READERS)
def test_a_reader_answers_damaged_files_clearly(name, tmp_path_factory):
    reader, folder = READERS[name], tmp_path_factory.mktemp("read")
    inputs = Inputs(reader, tmp_path_factory.mktemp("made"))
    for content in inputs.seeds:
        assert answer(reader, content, folder) == Answer(READ)
    faults = {}
    for number in range(len(inputs.hostile) + reader.suite_inputs):
        found = answer(reader, inputs[number], folder)
        if found.kind not in (READ, CLEAR):
            faults[number] = found
    assert not faults


def fails(error):
    def read(path):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (fails(ValueError("a.bin is damaged.")), CLEAR),
        (fails(ValueError("It is damaged.")), "undocumented"),
        (fails(ValueError("a.bin\nis damaged.")), "undocumented"),
        (fails(KeyError("a.bin")), "undocumented"),
        (lambda path: np.ones(30_000_000), "memory"),
    ],
    ids=["named", "unnamed", "two lines", "another error", "memory"],
)
def test_a_fault_is_told_from_a_clear_answer(read, kind, tmp_path):
    reader = Reader("example", "a.bin", lambda folder: [b"seed"], read)
    assert answer(reader, b"damaged", tmp_path).kind == kind


def test_a_number_stands_for_one_file(tmp_path):
    reader = Reader("example", "a.bin", lambda folder: [bytes(100)], fails(ValueError()), hostile=lambda: [b"hostile"])
    first, second = (Inputs(reader, tmp_path) for _ in range(2))
    assert first[0] == b"hostile"
    assert [first[i] for i in range(20)] == [second[i] for i in range(20)]
    assert len({first[i] for i in range(20)}) > 10
