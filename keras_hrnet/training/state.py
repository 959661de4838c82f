"""The state of a run, which its steps change, as arrays in memory and as a file."""

import json
import os
import random
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_hrnet.array_files import read_npz
from keras_hrnet.distributed.processes import this_process
from keras_hrnet.distributed.replicas import num_replicas
from keras_hrnet.replacing import replacing

Arrays = dict[str, np.ndarray]
"""A state: arrays by name."""


class TrainingState:
    """Copies everything that the steps of a run change in a model, and restores it bit for bit.

    This covers the weights, moving statistics and seeds of a network; the optimizer with its step, velocities, averages
    and accumulated gradients; the counts of the metrics; and the random generators of Python, NumPy and PyTorch. A
    `.keras` file has neither seeds nor counts. A state is the same for any number of devices and processes: any process
    can take it, and all must restore it.

    Args:
        model: a compiled network; its optimizer is built.
        metrics: the metrics that it was compiled with.
    """

    def __init__(self, model: keras.Model, metrics: Sequence[keras.metrics.Metric]):
        self.model = model
        self.metrics = metrics

    def take(self) -> Arrays:
        """Returns a copy of the state."""
        if keras.config.backend() == "jax":
            # During an epoch, JAX's trainer holds the values, and the variables are outdated.
            self.model.jax_state_sync()
        values = {name: _host_value(variable) for name, variable in self._variables().items()}
        return {**values, **generators()}

    def check(self, arrays: Arrays) -> None:
        """Refuses a state that was taken from another model.

        Raises:
            ValueError: if numbers or shapes of variables differ, or the states of the random generators are invalid.
        """
        variables = self._variables()
        theirs = {name: array.shape for name, array in arrays.items() if "/" in name and array.dtype.kind in "biuf"}
        if theirs != {name: tuple(variable.shape) for name, variable in variables.items()}:
            raise ValueError(
                f"Received the state of a run with {len(theirs)} variables for a run with {len(variables)}, or with "
                "other shapes. Expected the state of the same network and optimizer. Delete it to start over."
            )
        try:
            _set_generators(arrays, random.Random(), np.random.RandomState())
            if "torch" in arrays:
                import torch

                torch.Generator().set_state(torch.from_numpy(arrays["torch"].copy()))
        except (ArithmeticError, ImportError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"Received the state of a run whose random generators cannot be restored ({error}). Expected a state "
                "that a run saved. Delete it to start over."
            ) from error

    def put(self, arrays: Arrays, counts: bool = True) -> None:
        """Restores everything except the random generators: see `set_generators`.

        Args:
            arrays: the state that `take` returned.
            counts: whether to restore the counts of the metrics, which is needed in the middle of an epoch.
        """
        for name, variable in self._variables().items():
            if counts or not name.startswith("metrics/"):
                times = _times(variable)
                variable.assign(arrays[name] / times if times > 1 else arrays[name])

    def is_finite(self, arrays: Arrays) -> bool:
        """Returns whether all weights in a state are finite numbers."""
        return all(np.isfinite(array).all() for name, array in arrays.items() if name.startswith("network/"))

    def _variables(self):
        model = self.model
        # Keras lists compiled metrics only after they have been updated, which on TensorFlow happens in the first step.
        counts = [variable for metric in (*self.metrics, *model.metrics) for variable in metric.variables]
        groups = {
            "network": model.variables,
            "optimizer": model.optimizer.variables,
            "metrics": {id(variable): variable for variable in counts}.values(),
        }
        return {f"{group}/{i}": variable for group, found in groups.items() for i, variable in enumerate(found)}


def set_generators(arrays: Arrays) -> None:
    """Restores the random generators of Python, NumPy and PyTorch from a state."""
    _set_generators(arrays, random, np.random)
    if "torch" in arrays:
        import torch

        torch.set_rng_state(torch.from_numpy(arrays["torch"].copy()))
        for i in range(torch.cuda.device_count()):
            if f"cuda {i}" in arrays:
                torch.cuda.set_rng_state(torch.from_numpy(arrays[f"cuda {i}"].copy()), i)


def _set_generators(arrays, python, numpy):
    states = json.loads(str(arrays["generators"]))
    version, numbers, gauss = states["python"]
    python.setstate((version, tuple(numbers), gauss))
    numpy.set_state(tuple(states["numpy"]))


def write_state(path: str | os.PathLike, arrays: Arrays, position: Mapping[str, Any]) -> None:
    """Writes a state to a `.npz` file, completely or not at all.

    Args:
        path: the file.
        arrays: the state that `TrainingState.take` returned.
        position: the position in the run, in types that JSON supports.

    Raises:
        OSError: if it cannot be written; the earlier file is kept.
    """
    with replacing(path) as part:
        np.savez(part, position=json.dumps(position), **arrays)


def read_state(path: str | os.PathLike) -> tuple[Arrays, dict[str, Any]]:
    """Reads the arrays and the position that `write_state` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or has another format.
    """
    try:
        with open(path, "rb") as file:
            arrays = read_npz(file)
        position = json.loads(str(arrays.pop("position")))
        if not isinstance(position, dict):
            raise ValueError(f"its position is {position!r}")
        return arrays, position
    except (ValueError, KeyError, RecursionError) as error:
        raise ValueError(
            f"Received {str(path)!r}, which is damaged ({error}). Expected a file that a run saved. Restore it from "
            "a copy, or delete it to start over."
        ) from error


def _host_value(variable):
    if _is_part_of_sum(variable):
        import tensorflow as tf

        # TensorFlow would sum over all processes, although only one may be reading. Each process has the same share.
        parts = tf.distribute.get_strategy().experimental_local_results(variable.value)
        return np.array(sum(part.numpy() for part in parts) * this_process().count)
    # This is a copy, because the result of `convert_to_numpy` may share memory with the variable.
    value = np.array(keras.ops.convert_to_numpy(variable))
    times = _times(variable)
    if times > 1:
        value *= times
    # NumPy's files do not support bfloat16; float32 represents all of its values.
    return value.astype("float32") if value.dtype.kind == "V" else value


def _times(variable):
    """Returns the number of processes that count separately in a metric's variable; PyTorch's processes do."""
    is_part = variable.aggregation == "sum" and keras.config.backend() == "torch"
    return num_replicas() if is_part else 1


def _is_part_of_sum(variable):
    """Returns whether TensorFlow's processes hold parts of a metric's variable, which TensorFlow combines."""
    return variable.aggregation == "sum" and keras.config.backend() == "tensorflow" and this_process().count > 1


def generators() -> Arrays:
    """Returns copies of the states of the random generators of Python, NumPy and PyTorch, for `set_generators`."""
    name, keys, *rest = np.random.get_state()
    states = {"python": random.getstate(), "numpy": [name, keys.tolist(), *rest]}
    arrays = {"generators": np.array(json.dumps(states))}
    if keras.config.backend() == "torch":
        import torch

        # Dropout without its own seed draws from these.
        arrays["torch"] = torch.get_rng_state().numpy().copy()
        devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ()
        arrays.update({f"cuda {i}": state.numpy().copy() for i, state in enumerate(devices)})
    return arrays
