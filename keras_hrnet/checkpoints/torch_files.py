"""Reads files that PyTorch saved, without PyTorch: their contents, and the positions of the values of tensors."""

import io
import math
import os
import pathlib
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from keras_hrnet.checkpoints.unpickling import Tensor, unpickle
from keras_hrnet.zip_files import check_member, read_member, stored_members

# torch/serialization.py, `_legacy_save`: the number that begins files of PyTorch before 1.6, and that of the format.
_MAGIC_NUMBER, _FORMAT_NUMBER = 0x1950A86A20F9469CFC6C, 1001
_COUNT_BYTES = 8
# The checksum that `torch.save` writes after `torch.serialization.set_crc32_options(False)`.
_NO_CHECKSUM = 0
_DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "ByteStorage": "uint8", "CharStorage": "int8", "ShortStorage": "int16", "IntStorage": "int32",
    "LongStorage": "int64", "BoolStorage": "bool", "UntypedStorage": "uint8",
}  # fmt: skip
_NUMBERS = frozenset((
    "bfloat16", "bool", "float16", "float32", "float64", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
    "float8_e5m2fnuz", "int16", "int32", "int64", "int8", "uint16", "uint32", "uint64", "uint8",
))  # fmt: skip
UNUSUAL_TENSORS = {
    "a conjugate or negative view": "a conjugate or negative view",
    "torch._utils._rebuild_meta_tensor_no_storage": "on the device “meta”, without values",
    "torch._utils._rebuild_nested_tensor": "nested",
    "torch._utils._rebuild_qtensor": "quantized",
    "torch._utils._rebuild_sparse_tensor": "sparse",
    "torch._utils._rebuild_wrapper_subclass": "of a custom class",
    "torch._tensor._rebuild_from_type_v2": "of a custom class",
}
"""Descriptions of tensors that are not plain numbers, to be read after "is", by the name that `unpickle` returns."""

_MOST_AXES = 64
_FREE_BYTES = 2**26


class _Place(NamedTuple):
    start: int
    size: int


class TorchFile:
    """A file that `torch.save` wrote, in the current format or in that before PyTorch 1.6.

    Its values are mapped into memory, and copied only if they are converted.

    Args:
        path: the file.

    Attributes:
        content: the contents of the file, as `unpickle` returns them.

    Raises:
        ValueError: if it is not such a file, or is damaged; the message calls the file "it" instead of naming it.
    """

    def __init__(self, path: pathlib.Path):
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            self.content, self._places = _read_zip(file) if is_zip else _read_legacy(file)
            self._size = file.seek(0, os.SEEK_END)
        # Copy-on-write, so that the array can be written to like any other.
        self._mapped = np.memmap(path, np.uint8, mode="c")
        self._taken, self._arrays = 0, {}

    def array(self, tensor: Tensor) -> np.ndarray:
        """Returns the values of a tensor, converted to float32 from any other floating type.

        Raises:
            ValueError: if the file does not have all values, if they are not plain numbers, or if all tensors together
                are many times as large as the file; the message is to be read after the name of the tensor.
        """
        if tensor not in self._arrays:
            self._arrays[tensor] = self._converted(tensor)
        return self._arrays[tensor]

    def _converted(self, tensor):
        dtype = _dtype_of(tensor)
        size = math.prod(tensor.shape)
        self._check_size(tensor, size, dtype)
        is_converted = dtype.kind not in "iub" and dtype != np.float32
        # Views of one storage, or one value repeated by `expand`, are small in a file but may be huge in memory.
        self._taken += size * (4 if is_converted else dtype.itemsize)
        if self._taken > 4 * self._size + _FREE_BYTES:
            raise ValueError(f"and those before it take {self._taken:,} bytes, in a file of {self._size:,}.")
        if size == 0:
            return np.empty(tensor.shape, np.float32 if is_converted else dtype)
        start = self._places[tensor.storage.key].start + (tensor.storage.offset + tensor.offset) * dtype.itemsize
        strides = [stride * dtype.itemsize for stride in tensor.strides]
        view = np.ndarray(tensor.shape, dtype, self._mapped, start, strides)
        # Before PyTorch 1.6, numbers were not aligned.
        return view.astype(np.float32) if is_converted else view if view.flags.aligned else view.copy()

    def _check_size(self, tensor, size, dtype):
        storage, place = tensor.storage, self._places.get(tensor.storage.key)
        if len(tensor.shape) != len(tensor.strides) or len(tensor.shape) > _MOST_AXES:
            raise ValueError(f"has {len(tensor.shape)} axes and {len(tensor.strides)} strides.")
        there = 0 if place is None else place.size // dtype.itemsize
        steps = (stride * (length - 1) for stride, length in zip(tensor.strides, tensor.shape, strict=True))
        last = storage.offset + tensor.offset + sum(steps)
        if (size > 0 and last >= there) or size >= 2**62:
            raise ValueError(f"ends at number {last:,}, but the file has only {there:,} numbers for it.")


def _dtype_of(tensor):
    name = tensor.dtype or _DTYPES.get(tensor.storage.kind)
    if name not in _NUMBERS:
        raise ValueError(f"is of the type {name or tensor.storage.kind!r}.")
    return np.dtype(name)  # bfloat16 and others too: Keras registers them with NumPy.


def _read_zip(file):
    members = stored_members(file)
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise ValueError("it is a zip file, but not one of PyTorch: it does not hold exactly one `data.pkl`.")
    folder = pickles[0].removesuffix("data.pkl")
    order = members.get(f"{folder}byteorder")
    if order is not None and _read(file, order) != b"little":
        raise ValueError("its numbers do not begin with their lowest bytes.")
    content = unpickle(io.BytesIO(_read(file, members[pickles[0]])))
    start = f"{folder}data/"
    places = {}
    for name, member in members.items():
        if name.startswith(start):
            if member.checksum != _NO_CHECKSUM:
                check_member(file, member)
            places[name.removeprefix(start)] = _Place(member.start, member.size)
    return content, places


def _read(file, member):
    if member.checksum == _NO_CHECKSUM:
        file.seek(member.start)
        return file.read(member.size)
    return read_member(file, member)


def _read_legacy(file: BinaryIO) -> tuple[Any, dict[str, _Place]]:
    # torch/serialization.py, `_legacy_save`: five pickles, and then the storages in the order of their names.
    file.seek(0)
    if unpickle(file) != _MAGIC_NUMBER or unpickle(file) != _FORMAT_NUMBER:
        raise ValueError("it is a pickle, but not one of `torch.save`.")
    system = unpickle(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers do not begin with their lowest bytes.")
    kinds = {}
    content, keys = unpickle(file, kinds), unpickle(file)
    if not isinstance(keys, list) or not all(isinstance(key, str) and kinds.get(key) in _DTYPES for key in keys):
        raise ValueError("it names numbers that it does not describe.")
    begin, end = file.tell(), file.seek(0, os.SEEK_END)
    places = {}
    for key in keys:
        file.seek(begin)
        count = int.from_bytes(file.read(_COUNT_BYTES), "little")
        size = count * np.dtype(_DTYPES[kinds[key]]).itemsize
        places[key] = _Place(begin + _COUNT_BYTES, size)
        begin += _COUNT_BYTES + size
        if begin > end:
            raise ValueError(f"it ends before the end of the {count:,} numbers of {key!r:.80}.")
    return content, places
