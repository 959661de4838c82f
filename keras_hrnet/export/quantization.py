"""Quantizes a float32 `.tflite` file to integers, with `litert-quantizer`.

It was chosen over TensorFlow's converter after one comparison (HRNetW18Small after the demo's training, 256x512, both
calibrated on the same 32 images): in int8, the error of the logits was 1.7 % of their deviation instead of 2.4 %, and a
batch took 19 ms instead of 30 ms; in int16x8, both errors were 0.5 %. It quantizes files, so that networks of every
backend are treated in the same way. It takes a tenth of a second, so that several choices of layers can be tried.
"""

import contextlib
import io
import math
import re
import types
import warnings
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from keras_hrnet.export.graph import Graph, layer_path, read_graph
from keras_hrnet.export.litert import TFLiteModel

QUANTIZED = ("dynamic", "int8", "int16x8", "mixed")
CALIBRATED = ("int8", "int16x8", "mixed")

# The operators that "mixed" computes in integers; attention, softmax and resizing stay in floating point.
MIXED_OPERATORS = ("CONV_2D", "FULLY_CONNECTED", "PAD", "ADD", "CONCATENATION")
# The operators that may be between the image and the first convolution.
NORMALIZING = ("CAST", "SUB", "MUL", "ADD", "DIV", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")

# litert-quantizer 0.11 fails at larger kernels: it splits them into parts, but not the scales of their channels
# (algorithms/uniform_quantize/uniform_quantize_tensor.py, `uniform_quantize`).
LARGEST_KERNEL = 32 * 2**20

# The smallest and largest values of tensors, by name.
Ranges = dict[str, tuple[float, float]]


def calibrate(content: bytes, images: np.ndarray, batch_size: int) -> Ranges:
    """Measures the smallest and the largest value of every tensor of a float file over some images.

    Args:
        content: a float32 `.tflite` file.
        images: uint8 `(num_images, height, width, 3)`, RGB in [0, 255].
        batch_size: batch size of the file.
    """
    model = TFLiteModel(content, keeps_tensors=True)
    constants = {x.index for operator in read_graph(content).operators for x in operator.inputs if x.is_constant}
    every = model.interpreter.get_tensor_details()
    floats = [x for x in every if x["dtype"] == np.float32 and x["index"] not in constants]
    ranges = {}
    for start in range(0, len(images), batch_size):
        model(images[np.arange(start, start + batch_size) % len(images)])
        for tensor in floats:
            if (values := model.values(tensor)) is not None:
                low, high = ranges.get(tensor["name"], (np.inf, -np.inf))
                ranges[tensor["name"]] = (min(low, float(values.min())), max(high, float(values.max())))
    return ranges


def quantize(
    content: bytes,
    precision: str,
    ranges: Ranges | None = None,
    *,
    float_layers: Collection[str] = (),
    only_layers: Collection[str] | None = None,
    graph: Graph | None = None,
) -> bytes:
    """Quantizes a float file.

    The image and the output keep their dtypes, and so do the operators next to them: the normalization before the first
    convolution, and the softmax or argmax after the logits.

    Args:
        content: a float32 `.tflite` file.
        precision: "dynamic", "int8", "int16x8" or "mixed".
        ranges: the result of `calibrate`; None for "dynamic".
        float_layers: paths of layers (`keras_hrnet.export.graph.layer_path`) that stay in floating point, including
            everything inside them.
        only_layers: paths of the only layers to quantize; None for all.
        graph: the result of `read_graph`, if the file is quantized more than once; reading takes half a second for a
            thousand operators.

    Raises:
        ImportError: if `litert-quantizer` is not installed.
        ValueError: if a kernel to quantize has more than 32 MiB.
    """
    with _quiet():
        library = quantizer_library()
        quantizer = library.quantizer.Quantizer(bytes(content))
        graph = graph or read_graph(content)
        _add_precision(quantizer, library.qtyping.TFLOperationName, precision)
        before_layers = _normalizing(graph)
        kept = []
        for operator in graph.operators:
            if (
                operator.outputs[0].index in before_layers
                or (operator.name in ("SOFTMAX", "ARG_MAX", "CAST") and not operator.layer)
                or is_inside(operator.layer, float_layers)
                or (only_layers is not None and not is_inside(operator.layer, only_layers))
            ):
                # The quantizer calls an operator by the names of all its outputs.
                kept.append(";".join(tensor.name for tensor in operator.outputs))
            elif precision != "mixed" or operator.name in MIXED_OPERATORS:
                _check_kernel(operator)
        _keep_float(quantizer, library.qtyping.TFLOperationName, kept)
        return bytes(quantizer.quantize(_statistics(graph, ranges), enable_progress_report=False).quantized_model)


def _check_kernel(operator):
    for tensor in operator.inputs:
        size = 4 * math.prod(tensor.shape)
        if tensor.is_constant and len(tensor.shape) == 4 and size > LARGEST_KERNEL:
            raise ValueError(
                f"Received a network whose layer {operator.layer or layer_path(tensor.name)!r} has a kernel of "
                f"{size / 2**20:.0f} MiB. Expected at most {LARGEST_KERNEL / 2**20:.0f} MiB, because "
                "litert-quantizer fails at larger ones. Pass precision='float16', or use fewer channels in that layer."
            )


def is_inside(path: str, layers: Collection[str]) -> bool:
    """Returns whether the path of a layer is one of `layers` or inside one of them."""
    return any(path == layer or path.startswith(f"{layer}/") for layer in layers)


class Library(NamedTuple):
    """The modules of the quantizer that are used here."""

    quantizer: types.ModuleType
    qtyping: types.ModuleType


def quantizer_library() -> Library:
    """Imports `litert_quantizer`, or `ai_edge_quantizer`, which is its former name and produces the same files.

    Raises:
        ImportError: if neither is installed.
    """
    try:
        from litert_quantizer import qtyping, quantizer
    except ImportError:
        try:
            from ai_edge_quantizer import qtyping, quantizer
        except ImportError as error:
            raise ImportError(
                "Received a precision that needs litert-quantizer, which is not installed. Expected it to be "
                "installed. Run `pip install keras-hrnet[export]`, or pass precision='float16'."
            ) from error
    return Library(quantizer, qtyping)


def _add_precision(quantizer, operations, precision):
    every = operations.ALL_SUPPORTED
    if precision == "dynamic":
        quantizer.add_dynamic_config(".*", every, num_bits=8)
    elif precision == "mixed":
        for name in MIXED_OPERATORS:
            quantizer.add_static_config(".*", operations(name), activation_num_bits=8, weight_num_bits=8)
    else:
        bits = 16 if precision == "int16x8" else 8
        quantizer.add_static_config(".*", every, activation_num_bits=bits, weight_num_bits=8)
        for border in (operations.INPUT, operations.OUTPUT):
            quantizer.update_quantization_recipe(".*", border, algorithm_key="no_quantize")


def _keep_float(quantizer, operations, names):
    if not names:
        return
    # All layers share one pattern, because every pattern is searched for every operator, and Python caches only 512
    # compiled patterns (HRNetW18 with OCR and one layer in integers took 548 s with one pattern per layer, under a
    # profiler).
    pattern = f"^({'|'.join(map(re.escape, names))});?$"
    quantizer.update_quantization_recipe(pattern, operations.ALL_SUPPORTED, algorithm_key="no_quantize")


def _normalizing(graph):
    """Returns the indices of the tensors from the image to the first convolution, including the image."""
    found = {tensor.index for tensor in graph.inputs}
    for operator in graph.operators:
        if operator.name in NORMALIZING and all(tensor.index in found for tensor in operator.runtime_inputs):
            found.update(tensor.index for tensor in operator.outputs)
    return found


def _statistics(graph, ranges):
    if ranges is None:
        return None
    tensors = {x.name: x for operator in graph.operators for x in (*operator.inputs, *operator.outputs)}
    return {
        name: {
            bound: np.full((1,) * len(tensors[name].shape), value, np.float32)
            for bound, value in zip(("min", "max"), ranges[name], strict=True)
        }
        for name in tensors.keys() & ranges.keys()
    }


@contextlib.contextmanager
def _quiet():
    # The quantizer always draws a progress bar. It also keeps all tensors of the file, about which LiteRT warns.
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
