"""Reads NumPy's files, `.npy` and `.npz`, that hold only numbers and texts, without trusting the sizes they state."""

import math
import re
from typing import BinaryIO

import numpy as np

from keras_hrnet.zip_files import check_member, stored_members

# The header that `numpy.save` writes before an array of plain numbers or texts, in its first and second version.
_START = re.compile(rb"\x93NUMPY(?:\x01\x00(..)|\x02\x00(....))", re.DOTALL)
_HEADER = re.compile(
    rb"\{'descr': '([<>|][biufcU]\d{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18},)?|\d{1,18}(?:, \d{1,18})+)\), \} *\n"
)
_LONGEST_START = 12


def read_npy(file: BinaryIO, size: int) -> np.ndarray:
    """Reads one array from the current position of a file; the array must take exactly `size` bytes.

    Args:
        file: open for reading.
        size: number of bytes to read.

    Raises:
        ValueError: if they are not numbers or a text as written by `numpy.save`; the message calls the file "it"
            instead of naming it.
    """
    begin = file.tell()
    found = _START.match(file.read(min(size, _LONGEST_START)))
    length = int.from_bytes(found.group(1) or found.group(2), "little") if found else 0
    if not found or found.end() + length > size:
        raise ValueError("it does not hold a NumPy array.")
    file.seek(begin + found.end())
    header = _HEADER.fullmatch(file.read(length))
    if not header:
        raise ValueError("it holds an array of neither numbers nor a text, or its header is damaged.")
    try:
        dtype = np.dtype(header.group(1).decode())
    except TypeError as error:
        raise ValueError(f"it holds numbers of a type that NumPy lacks ({error}).") from error
    shape = tuple(map(int, re.findall(rb"\d+", header.group(3))))
    there = size - found.end() - length
    if len(shape) > 64 or math.prod(shape) * dtype.itemsize != there:
        raise ValueError(f"it states that an array of shape {shape} and type {dtype} takes {there} bytes.")
    array = np.empty(shape[::-1] if header.group(2) == b"True" else shape, dtype)
    if file.readinto(array.reshape(-1).view(np.uint8)) != there:
        raise ValueError("it ends too early.")
    return array.T if header.group(2) == b"True" else array


def read_npz(file: BinaryIO) -> dict[str, np.ndarray]:
    """Reads all arrays of a file that `numpy.savez` wrote, and compares their checksums.

    Args:
        file: open for reading.

    Raises:
        ValueError: if it is not such a file, or is damaged; the message calls the file "it" instead of naming it.
    """
    arrays = {}
    for name, member in stored_members(file).items():
        check_member(file, member)
        file.seek(member.start)
        arrays[name.removesuffix(".npy")] = read_npy(file, member.size)
    return arrays
