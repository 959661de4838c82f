"""Reads a pickle of PyTorch as plain data: nothing that it names is imported, called or instantiated.

`torch.load(weights_only=True)` calls functions that a file names, with arguments that the file chooses: a file of 132
bytes that calls `bytearray(2**29)`, for example, takes 512 MB. This module returns tensors as descriptions of where
their values lie, to be compared with the file; numbers, texts, lists, tuples and dicts as they are; and everything else
as a name.
"""

import os
import pickletools
from typing import Any, BinaryIO, NamedTuple

MOST_OPERATIONS = 1_000_000
"""Most operations of a pickle; they take seconds. A checkpoint of HRNetW48 with its optimizer has about 200,000."""


class Storage(NamedTuple):
    """A contiguous sequence of numbers in a file.

    Args:
        key: name of the numbers in the file.
        kind: PyTorch class that held the numbers, such as "FloatStorage".
        size: number of numbers.
        offset: index of the first number within those of this key; files of PyTorch before 0.4 have parts of storages.
    """

    key: str
    kind: str
    size: int
    offset: int = 0


class Tensor(NamedTuple):
    """The position of the values of a tensor; offset and strides count numbers.

    Args:
        storage: storage that holds the values.
        offset: index of the first value in the storage.
        shape: shape of the tensor.
        strides: distance between neighbors along each axis.
        dtype: name of the type in PyTorch; None for the type of the storage.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str | None = None


class Name(NamedTuple):
    """An object that a pickle names, or the result of calling one; it is neither imported nor called."""

    text: str
    is_made: bool = False


class RefusedError(ValueError):
    """A pickle holds an object that is neither a tensor nor a number; the message names the object."""


_TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3")
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_FROM_TYPE = "torch._tensor._rebuild_from_type_v2"
_DICTS = ("collections.OrderedDict", "collections.Counter")
# Tensors of kinds that no network of this package has, NumPy's numbers, and other objects that training code saves.
_OTHERS = (
    "torch._utils._rebuild_device_tensor_from_cpu_tensor", "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_meta_tensor_no_storage", "torch._utils._rebuild_nested_tensor",
    "torch._utils._rebuild_qtensor", "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_wrapper_subclass", "torch.serialization._get_layout", "torch.Size", "torch.Tensor",
    "torch.device", "torch.nn.parameter.Parameter", "_codecs.encode", "builtins.bytearray", "builtins.set",
    "builtins.complex", "__builtin__.bytearray", "__builtin__.set", "__builtin__.complex", "numpy.dtype",
    "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar", "numpy._core.multiarray._reconstruct",
)  # fmt: skip
_KNOWN = frozenset((*_TENSORS, *_PARAMETERS, _FROM_TYPE, *_DICTS, *_OTHERS))
# Types such as torch.float32, and quantization schemes such as torch.per_tensor_affine.
_TYPES = ("bfloat", "bits", "bool", "complex", "float", "int", "per_", "qint", "quint", "uint")


def unpickle(file: BinaryIO, kinds: dict[str, str] | None = None) -> Any:
    """Reads one pickle from the current position of a file, without running anything.

    Args:
        file: a file that is open for reading.
        kinds: a dict that receives the class of each storage by key.

    Returns:
        The contents: dicts, lists, tuples, texts, bytes, numbers, `Tensor` and `Name`.

    Raises:
        RefusedError: if it names an object that could run code or is unknown.
        ValueError: if it is not a pickle, is damaged, or is larger than any checkpoint.
    """
    machine = _Machine({} if kinds is None else kinds)
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(_Bounded(file))):
            if count == MOST_OPERATIONS:
                raise ValueError(f"its pickle has more than {MOST_OPERATIONS:,} operations.")
            if operation.name == "STOP":
                return machine.stack.pop()
            machine.do(operation.name, argument)
    except RefusedError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A pickle that takes from an empty stack, or tells a list to be a dict.
        raise ValueError(f"its pickle is damaged ({type(error).__name__}: {error}).") from error
    raise ValueError("its pickle has no end.")


class _Bounded:
    """Reads at most the rest of a file: Python allocates the length that an operation declares before it reads."""

    def __init__(self, file):
        self.file, self.readline, self.tell = file, file.readline, file.tell
        start = file.tell()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(start)

    def read(self, size):
        return self.file.read(min(size, self.size - self.file.tell()))


class _Machine:
    """The machine that Python's `pickle` documents: a stack, marks in it, and a memo of earlier objects."""

    CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
    VALUES = frozenset((
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
        "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES",
    ))  # fmt: skip
    TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

    def __init__(self, kinds):
        self.stack, self.outer, self.memory = [], [], {}
        self.kinds = kinds

    def do(self, name, argument):
        """Executes one operation."""
        stack = self.stack
        if name in self.VALUES:
            stack.append(argument)
        elif name in self.CONSTANTS:
            stack.append(self.CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memory[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memory[len(self.memory)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memory[argument])
        elif name in self.TUPLES:
            stack.append(tuple(self._taken(self.TUPLES[name])))
        elif name == "MARK":
            self.outer.append(stack)
            self.stack = []
        elif name not in ("PROTO", "FRAME"):
            step = getattr(self, f"_do_{name.lower()}", None)
            if step is None:
                raise ValueError(f"it has the operation {name}, which PyTorch does not write")
            step(argument)

    def _taken(self, count):
        if count > len(self.stack):
            raise IndexError("an operation takes more than the stack holds")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def _since_mark(self):
        taken, self.stack = self.stack, self.outer.pop()
        return taken

    def _do_tuple(self, _):
        taken = tuple(self._since_mark())
        self.stack.append(taken)

    def _do_empty_list(self, _):
        self.stack.append([])

    def _do_empty_dict(self, _):
        self.stack.append({})

    def _do_empty_set(self, _):
        self.stack.append(Name("builtins.set", is_made=True))

    def _do_append(self, _):
        self._extend(self._taken(1))

    def _do_appends(self, _):
        self._extend(self._since_mark())

    def _do_additems(self, _):
        self._since_mark()

    def _do_setitem(self, _):
        self._set(self._taken(2))

    def _do_setitems(self, _):
        self._set(self._since_mark())

    def _extend(self, values):
        if not isinstance(self.stack[-1], list):
            raise TypeError(f"it appends to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(values)

    def _set(self, values):
        if not isinstance(self.stack[-1], dict):
            raise TypeError(f"it sets an entry of a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(_pairs(values))

    def _do_global(self, argument):
        self._name(argument.replace(" ", "."))

    def _do_stack_global(self, _):
        module, name = self._taken(2)
        self._name(f"{module}.{name}")

    def _name(self, text):
        kind, _, last = text.rpartition(".")
        is_storage = kind in ("torch", "torch.storage") and last.endswith("Storage")
        if not (is_storage or text in _KNOWN or (kind == "torch" and last.startswith(_TYPES))):
            raise RefusedError(
                f"it holds {text.removeprefix('builtins.').removeprefix('__builtin__.')!s:.80}, which is neither a "
                "tensor nor a number, and reading that could run code."
            )
        self.stack.append(Name(text))

    def _do_binpersid(self, _):
        (identity,) = self._taken(1)
        kind, storage, key, _, size, *view = identity
        if kind not in ("storage", b"storage") or not isinstance(storage, Name) or not isinstance(key, str):
            raise TypeError(f"it refers to {kind!r:.80}")
        _check_counts(size)
        start, length = 0, size
        if view and view[0] is not None:
            _, start, length = view[0]
            _check_counts(start, length)
        found = Storage(key, storage.text.rpartition(".")[2], length, start)
        if self.kinds.setdefault(key, found.kind) != found.kind:
            raise ValueError(f"the numbers of {key!r:.80} are of two types")
        self.stack.append(found)

    def _do_reduce(self, _):
        function, arguments = self._taken(2)
        if not isinstance(function, Name) or function.is_made or not isinstance(arguments, tuple):
            raise TypeError(f"it calls a {type(function).__name__}")
        self.stack.append(_made(function.text, arguments))

    def _do_newobj(self, _):
        self._do_reduce(None)

    def _do_build(self, _):
        self._taken(1)
        if not isinstance(self.stack[-1], dict | Name | Tensor):
            raise TypeError(f"it changes a {type(self.stack[-1]).__name__}")


def _made(function, arguments):
    """Returns the result of a call if it would be a tensor or a dict; otherwise its name."""
    if function in _TENSORS:
        storage, offset, shape, strides, *others = arguments
        if not isinstance(storage, Storage):
            raise TypeError("a tensor has no storage")
        _check_counts(offset, *shape, *strides)
        dtype = others[2].text.removeprefix("torch.") if function == _TENSORS[2] else None
        metadata = others[-1] if others and isinstance(others[-1], dict) else {}
        if metadata.get("conj") or metadata.get("neg"):
            return Name("a conjugate or negative view", is_made=True)
        return Tensor(storage, offset, tuple(shape), tuple(strides), dtype)
    if function in _PARAMETERS:
        return arguments[0]
    if function == _FROM_TYPE and isinstance(arguments[0], Name):
        return _made(arguments[0].text, arguments[2])
    if function in _DICTS:
        # Python 2 passed the entries of an `OrderedDict` to its constructor, as a list of pairs.
        entries = arguments[0] if arguments else []
        return dict(entries) if isinstance(entries, dict) else dict(_pairs([x for pair in entries for x in pair]))
    if function == "torch.Size":
        return tuple(arguments[0])
    return Name(function, is_made=True)


class _OtherKey:
    """Stands for a key of a dict that is neither a text nor a number."""

    def __init__(self, key):
        self.kind = type(key).__name__

    def __repr__(self):
        return f"a {self.kind}"


def _pairs(values):
    keys, entries = values[::2], values[1::2]
    for key, entry in zip(keys, entries, strict=True):
        # Hashing a deeply nested tuple as a key would overflow Python's stack.
        yield (key if isinstance(key, str | bytes | int | float | None) else _OtherKey(key)), entry


def _check_counts(*values):
    if not all(type(value) is int and 0 <= value < 2**62 for value in values):
        raise ValueError(f"a size or an offset is {values!r:.80}")
