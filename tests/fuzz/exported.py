"""Readers of what exported files say of themselves."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hrnet.export import read_metadata
from keras_hrnet.export.flatbuffer import _AlignedBuilder, add_metadata
from keras_hrnet.export.metadata import described
from tests.fuzz.harness import Reader

METADATA = {
    "keras_hrnet": "0.1.0",
    "input": {"name": "images", "shape": [1, 32, 64, 3], "dtype": "uint8", "values": "RGB in [0, 255]"},
    "output": {"name": "logits", "kind": "logits"},
    "class_names": ["road", "sky"],
    "colors": [[128, 64, 128], [70, 130, 180]],
    "ignore_label": 255,
    "resize": {"interpolation": "bilinear", "align_corners": False},
}


def tflite_files(folder):
    model = schema.ModelT()
    buffer = schema.BufferT()
    buffer.data = np.arange(50, dtype=np.uint8)
    model.version, model.buffers, model.subgraphs = 3, [buffer], []
    builder = _AlignedBuilder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return [add_metadata(bytes(builder.Output()), METADATA)]


def onnx_files(folder):
    import onnx

    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 3))
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "graph", [value], [onnx.helper.make_empty_tensor_value_info("y")])
    model = onnx.helper.make_model(graph)
    model.metadata_props.add(key="keras_hrnet", value=str(METADATA).replace("'", '"').replace("False", "false"))
    return [model.SerializeToString()]


def read(path):
    described(read_metadata(path), path)


READERS = (
    Reader("tflite metadata", "network.tflite", tflite_files, read),
    Reader("onnx metadata", "network.onnx", onnx_files, read),
)
