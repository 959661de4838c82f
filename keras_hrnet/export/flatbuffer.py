"""Edits a `.tflite` file: its signature, and the metadata for the program that runs it."""

import json
import pathlib
import struct
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hrnet.export.metadata import damaged, parse

METADATA_NAME = "keras_hrnet"


def add_metadata(content: bytes, metadata: dict[str, Any]) -> bytes:
    """Returns a `.tflite` file with metadata, stored as JSON under the name "keras_hrnet"."""
    model = _unpack(content)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    return _pack(model, len(content))


def find_metadata(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the metadata that `add_metadata` stored in a file; None if there is none, or it is not a `.tflite` file.

    Raises:
        ValueError: if the file is damaged.
    """
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        return None
    try:
        found = _metadata_in(schema.Model.GetRootAs(content))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        # Errors that occur when reading outside a flatbuffer, which records neither its size nor what is missing.
        raise damaged(path, error) from error
    return None if found is None else parse(found, path)


def _metadata_in(model):
    for i in range(model.MetadataLength()):
        if model.Metadata(i).Name() == METADATA_NAME.encode():
            return model.Buffers(model.Metadata(i).Buffer()).DataAsNumpy().tobytes()
    return None


def add_signature(content: bytes, key: str, input_name: str, output_name: str) -> bytes:
    """Returns a `.tflite` file, of one input and one output, with a signature that names them."""
    model = _unpack(content)
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key, 0
    signature.inputs = [_named(input_name, graph.inputs)]
    signature.outputs = [_named(output_name, graph.outputs)]
    model.signatureDefs = [signature]
    return _pack(model, len(content))


def _unpack(content):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for buffer in model.buffers:
        # In files above 2 GB, the quantizer stores weights after the flatbuffer. They are moved into it, because their
        # offsets change when it is written again, and runtimes that are a few years old find them only there.
        if buffer.size:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def _pack(model, size):
    builder = _AlignedBuilder(size + size // 8 + 65536)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _named(name, tensors):
    named = schema.TensorMapT()
    named.name, (named.tensorIndex,) = name, tensors
    return named


class _AlignedBuilder(flatbuffers.Builder):
    """Starts vectors at multiples of 16 bytes, as the schema requires for weights; the Python builder does not."""

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802 (the name is the library's)
        self.Prep(16, x.nbytes)
        return super().CreateNumpyVector(x)
