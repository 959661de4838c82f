"""Builds networks whose weights get no values, to count them before memory is taken for them."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras

_IS_WITHOUT_VALUES = contextvars.ContextVar("is_without_values", default=False)


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Makes the variables of what is built inside have shapes alone.

    Keras keeps a list of them in the thread that builds: use one of its own, which ends after it.
    """
    token = _IS_WITHOUT_VALUES.set(True)
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        _IS_WITHOUT_VALUES.reset(token)


def is_without_values() -> bool:
    """Whether what is built now gets no values. Keras would draw them whenever they are asked for."""
    return _IS_WITHOUT_VALUES.get()
