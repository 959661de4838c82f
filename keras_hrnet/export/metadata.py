"""What travels inside a `.tflite` file: its signature, its classes and their colours, and where it came from."""

import hashlib
import json
import pathlib

import keras
import numpy as np

from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, PALETTE
from keras_hrnet.models.interface import data_format
from keras_hrnet.version import __version__

METADATA_NAME = "keras_hrnet"


def describe(model, options, num_classes, class_names=None):
    """Describes a file of a network for the program that runs it.

    Args:
        model: the network.
        options: a `TFLiteOptions`.
        num_classes: how many logits a pixel has.
        class_names: their names, by train id; None means Cityscapes' for 19 classes, else "class 0", "class 1", ….

    Returns:
        A dict that JSON holds.

    Raises:
        ValueError: if there are more or fewer names than classes.
    """
    names = _class_names(num_classes, class_names)
    return {
        "keras_hrnet": __version__,
        "input": {
            "name": "image",
            "shape": list(options.input_shape),
            "dtype": options.input_dtype,
            "values": "RGB in [0, 255]; normalization is inside",
        },
        "output": {"name": options.output_name, "kind": options.output},
        "precision": options.precision,
        "class_names": names,
        "colors": [list(color) for color in _colors(num_classes)],
        "resize": _resize_convention(model),
        "source": {"model": model.name, "data_format": data_format(model), "sha256": weights_hash(model)},
    }


def weights_hash(model):
    """Returns the SHA-256 of a model's weights: their shapes, dtypes and values, in the order of `get_weights`."""
    digest = hashlib.sha256()
    for values in model.get_weights():
        digest.update(f"{values.shape} {values.dtype}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def add_metadata(content, metadata):
    """Puts a dict into a `.tflite` file, under the name "keras_hrnet".

    Args:
        content: the file, bytes.
        metadata: what JSON holds.

    Returns:
        The new file, bytes.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _unpack(content)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    return _pack(model, len(content))


def add_signature(content, key, input_name, output_name):
    """Names what goes into a `.tflite` file and what comes out.

    Args:
        content: the file, bytes, of one input and one output.
        key: what the signature is called.
        input_name: what the input is called.
        output_name: what the output is called.

    Returns:
        The new file, bytes.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _unpack(content)
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key, 0
    signature.inputs = [_named(input_name, graph.inputs)]
    signature.outputs = [_named(output_name, graph.outputs)]
    model.signatureDefs = [signature]
    return _pack(model, len(content))


def read_metadata(path):
    """Reads what `export_tflite` wrote into a file for the program that runs it.

    Args:
        path: the `.tflite` file.

    Returns:
        A dict: "input" and "output" (the signature), "precision", "class_names", "colors" (red, green and blue of
        each class, in [0, 255]), "resize" (the convention of the network), "source" (model and SHA-256 of its
        weights), "keras_hrnet" (the version that wrote it).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it was not written by `export_tflite`.
    """
    from ai_edge_litert import schema_py_generated as schema

    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Received the path {str(path)!r}. Expected a .tflite file. Check the name.")
    content = path.read_bytes()
    if content[4:8] == b"TFL3":
        model = schema.Model.GetRootAs(content)
        for i in range(model.MetadataLength()):
            if model.Metadata(i).Name() == METADATA_NAME.encode():
                return json.loads(model.Buffers(model.Metadata(i).Buffer()).DataAsNumpy().tobytes())
    raise ValueError(
        f"Received the file {str(path)!r}, which holds no metadata of keras_hrnet. Expected a file that "
        "`export_tflite` wrote. Export the network again."
    )


def _unpack(content):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for buffer in model.buffers:
        # The quantizer puts weights behind the flatbuffer, for files beyond 2 GB: a new one moves them, and runtimes
        # of some years ago look for them inside only.
        if buffer.size:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def _pack(model, size):
    builder = _aligned_builder(size)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _named(name, tensors):
    from ai_edge_litert import schema_py_generated as schema

    named = schema.TensorMapT()
    named.name, (named.tensorIndex,) = name, tensors
    return named


def _aligned_builder(size):
    import flatbuffers

    class AlignedBuilder(flatbuffers.Builder):
        """Starts vectors at multiples of 16 bytes, as the schema demands for weights; the Python builder does not."""

        def CreateNumpyVector(self, x):  # noqa: N802 (the name is the library's)
            self.Prep(16, x.nbytes)
            return super().CreateNumpyVector(x)

    return AlignedBuilder(size + size // 8 + 65536)


def _class_names(num_classes, class_names):
    if class_names is None:
        return list(CLASS_NAMES) if num_classes == len(CLASS_NAMES) else [f"class {i}" for i in range(num_classes)]
    names = list(class_names)
    if len(names) != num_classes:
        raise ValueError(
            f"Received {len(names)} class_names. Expected {num_classes}, one for each logit. Name each class, by "
            "train id, or leave class_names out."
        )
    return names


def _colors(num_classes):
    if num_classes == len(PALETTE):
        return PALETTE
    # As Pascal VOC colours its classes: the bits of the number, spread over red, green and blue.
    return [
        tuple(sum(((i >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(8)) for channel in range(3))
        for i in range(num_classes)
    ]


def _resize_convention(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            if found := _resize_convention(layer):
                return found
        elif hasattr(layer, "align_corners") and hasattr(layer, "interpolation"):
            return {"interpolation": layer.interpolation, "align_corners": bool(layer.align_corners)}
    return None
