"""Corrects tf2onnx 1.17: operators that it translates wrongly or not at all, and repeated copies of all weights."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def handlers() -> dict[str, tuple[Callable[[Any, Any, str, list], None], list]]:
    """Returns the `custom_op_handlers` of tf2onnx, by the TensorFlow operator that each translates.

    A handler replaces one node of that operator in a `tf2onnx.graph.Graph`.
    """
    translations = {"Erfc": erfc, "FloorMod": floor_mod, "ResizeBilinear": resize, "ResizeNearestNeighbor": resize}
    return {operation: (translate, []) for operation, translate in translations.items()}


@contextlib.contextmanager
def without_copies() -> Iterator[None]:
    """Prevents tf2onnx from copying the graph with all weights before and after each of its optimizers.

    It copies the graph before an optimizer so that it can continue if the optimizer fails; here, a failure is an error.
    It writes the weights into messages of Protocol Buffers after each optimizer, although they are read only when the
    model is finished. Exporting HRNetW48 took 9.9 GB with both kinds of copies, and takes 5.5 GB without them.
    """
    from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

    def optimize(self, graph, iteration):
        self.opt_iteration = iteration
        graph = self._optimize(graph)
        graph.delete_unused_nodes(graph.outputs)
        return graph

    original, setting = GraphOptimizerBase.optimize, os.environ.get("TF2ONNX_CATCH_ERRORS")
    GraphOptimizerBase.optimize, os.environ["TF2ONNX_CATCH_ERRORS"] = optimize, "FALSE"
    try:
        yield
    finally:
        GraphOptimizerBase.optimize = original
        del os.environ["TF2ONNX_CATCH_ERRORS"]
        if setting is not None:
            os.environ["TF2ONNX_CATCH_ERRORS"] = setting


def erfc(graph: Any, node: Any, name: str, args: list) -> None:
    """Translates Erfc, which the exact GELU needs, to 1 - Erf; tf2onnx has no translation of it."""
    from tf2onnx.utils import map_onnx_to_numpy_type

    (x,), shapes, dtypes = node.input, node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    one = _constant(graph, 1, map_onnx_to_numpy_type(dtypes[0]))
    inputs = [one, graph.make_node("Erf", [x]).output[0]]
    graph.make_node("Sub", inputs, name=name, outputs=node.output, shapes=shapes, dtypes=dtypes)


def floor_mod(graph: Any, node: Any, name: str, args: list) -> None:
    """Translates FloorMod to a remainder with the sign of the divisor.

    For integers, tf2onnx's own translation has the sign of the dividend.
    """
    from onnx import TensorProto
    from tf2onnx.onnx_opset.math import FloorMod

    if graph.get_dtype(node.input[0]) in (TensorProto.INT32, TensorProto.INT64):
        node.type = "Mod"
    else:
        FloorMod.version_7(graph, node)


def resize(graph: Any, node: Any, name: str, args: list) -> None:
    """Translates resizing to a Resize with a target size.

    tf2onnx's own translation has scale factors in float32, by which many odd sizes are missed by one pixel.
    """
    from onnx import TensorProto

    is_bilinear = node.type == "ResizeBilinear"
    convention = [node.get_attr(name) for name in ("align_corners", "half_pixel_centers")]
    is_aligned, is_half_pixel = (attribute is not None and bool(attribute.i) for attribute in convention)
    images, size = node.input

    maps = graph.make_node("Transpose", [images], {"perm": [0, 3, 1, 2]}).output[0]
    size = graph.make_node("Cast", [size], {"to": TensorProto.INT64}).output[0]
    sizes = graph.make_node("Concat", [_batch_and_channels(graph, maps), size], {"axis": 0}).output[0]
    mode = "align_corners" if is_aligned else "half_pixel" if is_half_pixel else "asymmetric"
    attributes = {"mode": "linear" if is_bilinear else "nearest", "coordinate_transformation_mode": mode}
    if not is_bilinear:
        # With half-pixel centers, TensorFlow rounds half up.
        attributes["nearest_mode"] = "floor" if mode == "asymmetric" else "round_prefer_ceil"
    nothing = _constant(graph, [], np.float32)
    resized = graph.make_node("Resize", [maps, nothing, nothing, sizes], attributes).output[0]

    shapes, dtypes = node.output_shapes, node.output_dtypes
    graph.remove_node(name)
    back = {"perm": [0, 2, 3, 1]}
    graph.make_node("Transpose", [resized], back, name=name, outputs=node.output, shapes=shapes, dtypes=dtypes)


def _batch_and_channels(graph, maps):
    batch, channels = (graph.get_shape(maps) or [-1, -1])[:2]
    if min(batch, channels) > 0:
        return _constant(graph, [batch, channels], np.int64)
    shape = graph.make_node("Shape", [maps]).output[0]
    return graph.make_node("Slice", [shape, *(_constant(graph, [i], np.int64) for i in (0, 2))]).output[0]


def _constant(graph, values, dtype):
    from tf2onnx.utils import make_name

    return graph.make_const(make_name("constant"), np.array(values, dtype)).output[0]
