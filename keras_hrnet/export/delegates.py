"""Finds the operators of a `.tflite` file that run in a delegate, XNNPACK or GPU, from tables of supported operators.

The tables are needed because the converter's own analyzer accepts graphs that the GPU delegate rejects (tensors of rank
6, ARG_MAX). The tests compare the table for XNNPACK with the real delegate.

Reference: tensorflow/lite/delegates/xnnpack/README.md; tensorflow/lite/delegates/gpu/common/model_builder.cc.
"""

import dataclasses
import os
from collections.abc import Callable

from keras_hrnet.export.graph import Graph, Operator, read_graph

FLOATS = ("float32", "float16")
# The maximum number of tensors that XNNPACK joins in LiteRT 2.3; up to LiteRT 1, it was four.
XNNPACK_CONCATENATED = 5

# Names of operators, separated by spaces.
XNNPACK_FLOAT = (
    "ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU EXP "
    "FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD PRELU "
    "QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RSQRT SLICE SOFTMAX SPLIT SQRT SQUARE "
    "SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV"
)
XNNPACK_INT8 = (
    "ADD CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE ELU FULLY_CONNECTED LEAKY_RELU LOGISTIC MAX_POOL_2D MEAN "
    "MUL PAD QUANTIZE RESHAPE RESIZE_BILINEAR SLICE SPLIT STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV"
)
GPU = (
    "ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D DEQUANTIZE DIV ELU EXP "
    "FLOOR FULLY_CONNECTED HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD POW PRELU "
    "QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SIN SLICE SOFTMAX "
    "SPLIT SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV"
)


@dataclasses.dataclass(frozen=True)
class Outside:
    """An operator that a delegate does not run, the path of its Keras layer, and the reason."""

    operator: str
    layer: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Coverage:
    """The part of a file that a delegate runs.

    Args:
        share: share of the operators that the delegate runs, in [0, 1].
        partitions: number of parts into which these operators are divided; tensors are copied into and out of each.
        outside: the operators that the delegate does not run.
    """

    share: float
    partitions: int
    outside: tuple[Outside, ...]


def delegate_coverage(file: str | os.PathLike | bytes) -> dict[str, Coverage]:
    """Returns for "xnnpack" and "gpu" which part of a `.tflite` file they run.

    The GPU delegate supports int8 operators if it supports them in floating point, in which it computes them.

    Args:
        file: path of the file, or its bytes.
    """
    graph = read_graph(file)
    return {name: _coverage(graph, rule) for name, rule in (("xnnpack", xnnpack_reason), ("gpu", gpu_reason))}


def partitions(graph: Graph, is_inside: Callable[[Operator], bool]) -> list[list[Operator]]:
    """Partitions a graph as TFLite does: into the largest possible parts whose operators are all inside or all outside.

    Args:
        graph: graph of the file.
        is_inside: whether the delegate runs an operator.

    Returns:
        The parts in the delegate.
    """
    ready = {tensor.index for tensor in graph.inputs}
    waiting, pieces = list(graph.operators), []
    while waiting:
        inside, piece = None, []
        while True:
            chosen = []
            for operator in waiting:
                if all(tensor.index in ready for tensor in operator.runtime_inputs):
                    inside = is_inside(operator) if inside is None else inside
                    if is_inside(operator) == inside:
                        chosen.append(operator)
                        ready.update(tensor.index for tensor in operator.outputs)
            if not chosen:
                break
            piece += chosen
            waiting = [operator for operator in waiting if not any(operator is other for other in chosen)]
        if inside is None:
            raise ValueError(
                f"Received a graph whose operator {waiting[0].name} needs a tensor that no operator produces. "
                "Expected operators in the order in which they run. Export the file again."
            )
        if inside:
            pieces.append(piece)
    return pieces


def xnnpack_reason(operator: Operator) -> str | None:
    """Returns why XNNPACK does not run an operator, or None if it does."""
    if reason := _static_reason(operator):
        return reason
    name = operator.name
    dtypes = {tensor.dtype for tensor in (*operator.runtime_inputs[:1], *operator.outputs)}
    if name not in XNNPACK_FLOAT.split():
        return f"XNNPACK has no {name}"
    if "int16" in dtypes:
        return "XNNPACK has no int16"
    is_int8 = any(tensor.dtype in ("int8", "uint8") and tensor.is_quantized for tensor in operator.outputs)
    if is_int8 and name not in XNNPACK_INT8.split():
        return f"XNNPACK has no {name} in int8"
    if not is_int8 and not dtypes <= {*FLOATS, "int8"}:
        return f"XNNPACK has no {name} of {' and '.join(sorted(dtypes))}"
    if name == "CONCATENATION" and not 2 <= len(operator.inputs) <= XNNPACK_CONCATENATED:
        return f"XNNPACK joins 2 to {XNNPACK_CONCATENATED} tensors, and this operator joins {len(operator.inputs)}"
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D") and not _has_constant_weights(operator):
        return "XNNPACK needs a constant kernel and bias"
    if name == "SOFTMAX" and operator.options.beta != 1:
        return f"XNNPACK's SOFTMAX has beta 1, and this one has {operator.options.beta}"
    return None


def gpu_reason(operator: Operator) -> str | None:
    """Returns why the GPU delegate does not run an operator, or None if it does."""
    if reason := _static_reason(operator):
        return reason
    name = operator.name
    if name not in GPU.split():
        return f"the GPU delegate has no {name}"
    tensors = (*operator.runtime_inputs, *operator.outputs)
    for tensor in tensors:
        if len(tensor.shape) > 4:
            return f"the GPU delegate supports tensors up to rank 4, and this one has rank {len(tensor.shape)}"
    dtypes = {tensor.dtype for tensor in tensors if not (tensor.dtype in ("int8", "uint8") and tensor.is_quantized)}
    allowed = {*FLOATS, "int32", "bool"} if name == "CAST" else set(FLOATS)
    if not dtypes <= allowed:
        return f"the GPU delegate has no {name} of {' and '.join(sorted(dtypes - allowed))}"
    is_resize = name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
    if is_resize and operator.options.alignCorners and operator.options.halfPixelCenters:
        return "the GPU delegate aligns corners or centers pixels, not both"
    if name == "SOFTMAX" and operator.options.beta != 1:
        return f"the GPU delegate's SOFTMAX has beta 1, and this one has {operator.options.beta}"
    if name == "BATCH_MATMUL":
        return _gpu_product_reason(operator)
    return None


def _gpu_product_reason(operator):
    if operator.options.adjX or operator.options.adjY:
        return "the GPU delegate ignores that BATCH_MATMUL transposes"
    right = operator.inputs[1]
    if right.is_constant and len(right.shape) != 2:
        return f"the GPU delegate multiplies by a constant of rank 2, and this one has rank {len(right.shape)}"
    if operator.inputs[0].is_constant:
        return "the GPU delegate does not multiply by a constant from the left"
    return None


def _static_reason(operator):
    for tensor in (*operator.inputs, *operator.outputs):
        if -1 in tensor.shape:
            return f"a shape is known only at run time: {tensor.shape}"
    return None


def _has_constant_weights(operator):
    # Half-precision weights are not constants for the convolution: they pass through DEQUANTIZE operators, which
    # delegates run beforehand.
    return all(tensor.is_constant or not tensor.is_quantized for tensor in operator.inputs[1:])


def _coverage(graph, reason):
    reasons = {id(operator): reason(operator) for operator in graph.operators}
    outside = tuple(
        Outside(operator.name, operator.layer, reasons[id(operator)])
        for operator in graph.operators
        if reasons[id(operator)]
    )
    share = 1 - len(outside) / max(len(graph.operators), 1)
    return Coverage(share, len(partitions(graph, lambda operator: reasons[id(operator)] is None)), outside)
