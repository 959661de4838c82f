"""The TensorFlow process in which a model of another backend becomes a `.tflite` file.

Started by `keras_hrnet.export.process`:
`python -m keras_hrnet.export.worker MODEL.keras OPTIONS.json OUTPUT.tflite`.
"""

import json
import pathlib
import sys

import keras

from keras_hrnet.export.conversion import convert
from keras_hrnet.export.options import TFLiteOptions


def main(model_path, options_path, output_path):
    """Converts a saved model.

    Args:
        model_path: a `.keras` file.
        options_path: the fields of a `TFLiteOptions`, as JSON.
        output_path: the `.tflite` file to write.
    """
    options = TFLiteOptions(**json.loads(pathlib.Path(options_path).read_text()))
    model = keras.saving.load_model(model_path, compile=False)
    pathlib.Path(output_path).write_bytes(convert(model, options))


if __name__ == "__main__":
    main(*sys.argv[1:])
