"""Loads networks that Keras saved, after comparing the sizes that a file declares with its real size."""

import io
import json
import math
import os
import pathlib
import threading
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from keras_hrnet.layers.without_values import without_values
from keras_hrnet.mistaken import check_not_mistaken

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
LARGEST_NUMBER = 2**15
"""Maximum number in a configuration, such as filters, classes or image sizes, unless an axis of a weight is as long."""

FREE_BYTES = 200_000_000
MOST_TIMES = 10
"""A network may take this many times the size of its file, plus `FREE_BYTES`, without a further check."""

MOST_UNPACKED = 4
"""The contents of a compressed file may take this many times its size, plus a quarter of `FREE_BYTES`."""

# These numbers do not describe sizes.
_OTHER_KEYS = frozenset(("seed", "shared_object_id", "colors", "ignore_label", "inbound_nodes", "input_layers"))
_REPEATS = ("num_modules", "num_blocks", "num_units", "num_layers")
_FLOAT_BYTES = 4


class _Stored(NamedTuple):
    """The weights in a file: the number of arrays, their total size in bytes, and their longest axis."""

    count: int
    num_bytes: int
    longest: int


def load_saved(path: str | os.PathLike) -> keras.Model:
    """Loads a saved network without compiling it.

    No code in the file is executed: only layers of Keras, layers of this package and layers that you have registered
    are loaded.

    Args:
        path: a `.keras` file.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is not a `.keras` file, is damaged, declares more weights than it contains, or has
            layers that are not registered.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the model {str(path)!r}. Expected a `.keras` file there. Check the path.")
    check_not_mistaken(path)
    try:
        config, stored = _contents(path)
        _check_numbers(config, stored)
        if _most_bytes(config, stored) > MOST_TIMES * path.stat().st_size + FREE_BYTES:
            _check_weights(config, stored)
        return keras.saving.load_model(path, compile=False)
    except Exception as error:
        # Keras, HDF5 and the layers raise errors of many kinds for damaged files, and none of the errors names the
        # file.
        raise ValueError(
            f"{str(path)!r} is not a saved Keras model, or is incomplete or damaged ({_first_line(error)}). Expected a "
            "complete `.keras` file with registered layers. Save the model again, or copy the file again."
        ) from error


def _first_line(error):
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    return text[:300] if isinstance(error, ValueError) else f"{type(error).__name__}: {text[:300]}"


def _contents(path):
    """Returns the configuration in a file, and a description of its weights; verifies the checksums."""
    with zipfile.ZipFile(path) as archive:
        # Keras does not compress its files; other programs that compress them save little.
        unpacked, packed = sum(entry.file_size for entry in archive.infolist()), path.stat().st_size
        if unpacked > MOST_UNPACKED * packed + FREE_BYTES // 4:
            raise ValueError(f"its contents are declared to take {unpacked:,} bytes, and the file has {packed:,} bytes")
        for name in archive.namelist():
            if ".." in pathlib.PurePosixPath(name).parts or name.startswith("/"):
                raise ValueError(f"its part {name!r} leads out of the folder that it would be extracted to")
        for name in (CONFIG, WEIGHTS):
            if name not in archive.namelist():
                raise ValueError(f"it has no {name}")
        if damaged := archive.testzip():
            raise ValueError(f"the checksum of its part {damaged!r} is wrong")
        return json.loads(archive.read(CONFIG)), _stored(io.BytesIO(archive.read(WEIGHTS)))


def _stored(file):
    import h5py

    shapes = []

    def visit(name, found):
        if isinstance(found, h5py.Dataset):
            shapes.append((found.shape or (), found.dtype.itemsize))

    with h5py.File(file, "r") as weights:
        weights.visititems(visit)
    num_bytes = sum(math.prod(shape) * itemsize for shape, itemsize in shapes)
    if num_bytes > file.getbuffer().nbytes:
        raise ValueError(
            f"its weights are declared to take {num_bytes:,} bytes, and are stored in {file.getbuffer().nbytes:,}"
        )
    return _Stored(len(shapes), num_bytes, max((length for shape, _ in shapes for length in shape), default=1))


def _check_numbers(config, stored):
    largest = max(LARGEST_NUMBER, stored.longest)
    for key, number in _numbers(config):
        if not -largest <= number <= largest:
            raise ValueError(f"it declares {key}={number}, and no weight in it is longer than {stored.longest}")


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """Yields all integers in a configuration, each with its key."""
    left = [(key, value)]
    while left:
        key, value = left.pop()
        if type(value) is int:
            yield key, value
        elif isinstance(value, dict):
            left += [(name, inner) for name, inner in value.items() if name not in _OTHER_KEYS]
        elif isinstance(value, list):
            left += [(key, inner) for inner in value]


def _most_bytes(config, stored):
    """Estimates the maximum size of a network's weights in bytes from the numbers in its layers."""
    layers = config.get("config", {}).get("layers", []) if isinstance(config, dict) else []
    return sum(_most_bytes_of(layer, stored) for layer in layers)


def _most_bytes_of(layer, stored):
    numbers = list(_numbers(layer.get("config")))
    # These are all axes of an input except the batch. The channels are the last of them, or the first.
    inputs = [number for _, number in _numbers(layer.get("build_config"))]
    kernels = [abs(number) for key, number in numbers if key == "kernel_size"]
    times = math.prod(abs(number) for key, number in numbers if key in _REPEATS)
    if times > max(stored.count, LARGEST_NUMBER // 64):
        raise ValueError(f"a layer declares {times:,} parts, and the file holds {stored.count} weights")
    widest = max((abs(number) for _, number in numbers), default=0)
    area = max(9, math.prod(kernels), max(kernels, default=0) ** 2)
    return _FLOAT_BYTES * widest * max((widest, *inputs)) * area * times


def _check_weights(config, stored):
    """Builds a network without the values of its weights, to compare their number with the weights in the file."""
    found = []

    def build():
        try:
            with without_values():
                model = keras.saving.deserialize_keras_object({**config, "compile_config": None})
                found.append(sum(math.prod(variable.shape) for variable in model.variables))
        except Exception as error:  # noqa: BLE001 (raised below, in the calling thread)
            found.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    (number,) = found
    if isinstance(number, Exception):
        raise number
    if number * _FLOAT_BYTES > 2 * stored.num_bytes + FREE_BYTES / MOST_TIMES:
        raise ValueError(f"it declares {number:,} weights, and holds {stored.num_bytes:,} bytes of them")
