"""Copies the values of variables to the host, assigns them, and restores them."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np


def host_values(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Returns copies of the values of variables."""
    # The result of `convert_to_numpy` may share memory with the variable.
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Assigns a value to each variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def restored(variables: Sequence[keras.Variable]) -> Iterator[None]:
    """Restores the current values of variables at the end of the block."""
    own = host_values(variables)
    try:
        yield
    finally:
        assign(variables, own)
