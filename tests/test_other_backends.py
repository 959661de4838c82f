"""The suite runs on the active backend; these two tests run on the other two whatever depends on the backend."""

import os

import keras
import pytest

# Set in the suites started here (see `conftest.py`), which would start suites themselves otherwise.
NESTED = "KERAS_HRNET_NESTED_SUITE" in os.environ
OTHERS = [] if NESTED else sorted({"tensorflow", "jax", "torch"} - {keras.config.backend()})
if NESTED:
    __test__ = False


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS)
def test_the_suite_passes_on(backend, other_suites, record_property):
    output, process = other_suites[backend]
    process.wait()
    output.seek(0)
    text = output.read()
    closing_line = text.strip().splitlines()[-1]
    record_property("closing line", f"{backend}: {closing_line}")
    assert process.returncode == 0, text
    assert " passed" in closing_line
