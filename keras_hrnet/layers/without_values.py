"""Builds networks whose weights have no values, to count the weights before memory is allocated for them."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras

_IS_WITHOUT_VALUES = contextvars.ContextVar("is_without_values", default=False)


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Gives the variables of layers that are built inside this context only shapes.

    Keras keeps a list of these variables in the thread that builds them. Build them in a separate thread, which ends
    afterwards.
    """
    token = _IS_WITHOUT_VALUES.set(True)
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        _IS_WITHOUT_VALUES.reset(token)


def is_without_values() -> bool:
    """Returns whether variables that are built now have no values. Keras would draw the values on every access."""
    return _IS_WITHOUT_VALUES.get()
