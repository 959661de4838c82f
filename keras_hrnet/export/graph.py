"""Reads the content of a `.tflite` file: its operators, their tensors, and the Keras layers that they come from."""

import dataclasses
import os
import pathlib
import re
from typing import Any

from ai_edge_litert import schema_py_generated as schema

COMPILED_PART = "DISPATCH_OP"
"""The operator that stands for the operators that were compiled for an NPU."""

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of a `.tflite` file.

    Args:
        index: index of the tensor in the file.
        name: name, which contains the path of the Keras layer that made the tensor.
        shape: shape, with −1 for sizes that are known only at run time.
        dtype: "float32", "int8", …
        is_constant: whether the file contains its values.
        is_quantized: whether its integers represent real numbers.
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
        name: for example "CONV_2D"; a custom operator has the name given in the file.
        inputs: its input tensors, including constants.
        outputs: its output tensors.
        options: its attributes, as in the schema's object API; None if it has none.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Any = None

    @property
    def layer(self) -> str:
        """The path of its Keras layer, for example "HRNetW18/stage2/module_0/fuse"; "" at the input and the output."""
        path = layer_path(self.outputs[0].name)
        if not path and self.name in WEIGHTED:
            # The outputs of the file are not named after layers, but weights are.
            return layer_path(self.inputs[1].name)
        return path

    @property
    def runtime_inputs(self) -> tuple[Tensor, ...]:
        """The inputs that are not constants."""
        return tuple(tensor for tensor in self.inputs if not tensor.is_constant)


@dataclasses.dataclass(frozen=True)
class Graph:
    """The computation of a `.tflite` file: operators in the order in which they run, its inputs, and its outputs."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def layer_path(tensor_name: str) -> str:
    """Returns the path of the Keras layer in the name of a tensor.

    Keras opens the scope of each layer twice, for `build` and for `call`; TensorFlow appends a number to the second.

    >>> layer_path("HRNetW18_1/stem_1/conv1_1/Relu;HRNetW18_1/stem_1/conv1_1/conv_1/convolution")
    'HRNetW18/stem/conv1'
    >>> layer_path("PartitionedCall:0")
    ''
    """
    *scopes, _ = tensor_name.partition(";")[0].split("/")
    return "/".join(re.sub(r"_\d+$", "", scope) for scope in scopes)


def read_graph(file: str | os.PathLike | bytes) -> Graph:
    """Reads the first function of a `.tflite` file, the only one of a network, from a path or from its bytes."""
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
    # In the largest files, data is stored after the flatbuffer, at an offset.
    is_constant = (buffer.data is not None and len(buffer.data) > 0) or buffer.size > 0
    is_quantized = tensor.quantization is not None and tensor.quantization.scale is not None
    return Tensor(index, tensor.name.decode(), shape, dtypes[tensor.type].lower(), is_constant, is_quantized)
