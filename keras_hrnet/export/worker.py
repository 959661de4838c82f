"""The TensorFlow process in which a model of another backend becomes a file.

Started by `keras_hrnet.export.process`:
`python -m keras_hrnet.export.worker KIND MODEL.keras OPTIONS.json OUTPUT`.
"""

import json
import pathlib
import sys

import keras

from keras_hrnet.export.conversion import convert
from keras_hrnet.export.onnx import OnnxOptions, write_onnx
from keras_hrnet.export.options import TFLiteOptions
from keras_hrnet.export.saved_model import write_saved_model
from keras_hrnet.export.serving import ServingOptions


def write_tflite(model, options, path):
    """Writes a network as a `.tflite` file; see `keras_hrnet.export.conversion.convert`."""
    path.write_bytes(convert(model, options))


# For each kind of file, its options, and the function that writes it from a model, its options and a path.
KINDS = {
    "tflite": (TFLiteOptions, write_tflite),
    "saved_model": (ServingOptions, write_saved_model),
    "onnx": (OnnxOptions, write_onnx),
}


def main(kind, model_path, options_path, output_path):
    """Converts a saved model.

    Args:
        kind: a name of `KINDS`.
        model_path: a `.keras` file.
        options_path: the fields of the options of that kind, as JSON.
        output_path: the file or folder to write.
    """
    options_class, write = KINDS[kind]
    options = options_class(**json.loads(pathlib.Path(options_path).read_text()))
    model = keras.saving.load_model(model_path, compile=False)
    write(model, options, pathlib.Path(output_path))


if __name__ == "__main__":
    main(*sys.argv[1:])
