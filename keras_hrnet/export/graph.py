"""Reads what is in a `.tflite` file: its operators, their tensors, and the Keras layers that they came from."""

import dataclasses
import os
import pathlib
import re
from typing import Any

from ai_edge_litert import schema_py_generated as schema

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of a `.tflite` file.

    Args:
        index: its number in the file.
        name: holds the path of the Keras layer that made it.
        shape: −1 where a size is known at run time only.
        dtype: "float32", "int8", …
        is_constant: whether the file holds its values.
        is_quantized: whether its integers stand for real numbers.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    is_constant: bool
    is_quantized: bool


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator of a `.tflite` file.

    Args:
        name: for example "CONV_2D"; one that is not builtin has the name that the file gives it.
        inputs: its tensors, constants too.
        outputs: its results.
        options: its attributes, as the schema's object API has them; None if it has none.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Any = None

    @property
    def layer(self) -> str:
        """The path of the Keras layer that made it, for example "HRNetW18/stage2/module_0/fuse"; "" at the borders."""
        path = layer_path(self.outputs[0].name)
        if not path and self.name in WEIGHTED:
            # What comes out of the file has the file's name; the weights keep theirs.
            return layer_path(self.inputs[1].name)
        return path

    @property
    def runtime_inputs(self) -> tuple[Tensor, ...]:
        """The inputs that are no constants."""
        return tuple(tensor for tensor in self.inputs if not tensor.is_constant)


@dataclasses.dataclass(frozen=True)
class Graph:
    """What a `.tflite` file computes: operators in the order in which they run, what goes in, and what comes out."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def layer_path(tensor_name: str) -> str:
    """Returns the path of the Keras layer in the name of a tensor.

    Keras opens the scope of each layer twice, for `build` and for `call`: TensorFlow numbers the second.

    >>> layer_path("HRNetW18_1/stem_1/conv1_1/Relu;HRNetW18_1/stem_1/conv1_1/conv_1/convolution")
    'HRNetW18/stem/conv1'
    >>> layer_path("PartitionedCall:0")
    ''
    """
    *scopes, _ = tensor_name.partition(";")[0].split("/")
    return "/".join(re.sub(r"_\d+$", "", scope) for scope in scopes)


def read_graph(file: str | os.PathLike | bytes) -> Graph:
    """Reads the first and, for a network, only function of a `.tflite` file: of a path, or of its bytes."""
    content = file if isinstance(file, (bytes, bytearray)) else pathlib.Path(file).read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    operator_names, dtypes = _names(schema.BuiltinOperator), _names(schema.TensorType)
    graph = model.subgraphs[0]
    tensors = [_tensor(index, tensor, model.buffers, dtypes) for index, tensor in enumerate(graph.tensors)]

    def pick(indices):
        return tuple(tensors[index] for index in indices if index >= 0)

    def name(operator):
        code = model.operatorCodes[operator.opcodeIndex]
        return code.customCode.decode() if code.customCode else operator_names[code.builtinCode]

    operators = [
        Operator(name(operator), pick(operator.inputs), pick(operator.outputs), operator.builtinOptions)
        for operator in graph.operators
    ]
    return Graph(tuple(operators), pick(graph.inputs), pick(graph.outputs))


def _names(enumeration):
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}


def _tensor(index, tensor, buffers, dtypes):
    shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    shape = () if shape is None else tuple(int(size) for size in shape)
    buffer = buffers[tensor.buffer]
    # Data of the largest files lies behind the flatbuffer, at an offset.
    is_constant = (buffer.data is not None and len(buffer.data) > 0) or buffer.size > 0
    is_quantized = tensor.quantization is not None and tensor.quantization.scale is not None
    return Tensor(index, tensor.name.decode(), shape, dtypes[tensor.type].lower(), is_constant, is_quantized)
