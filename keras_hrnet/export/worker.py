"""The TensorFlow process in which a network of another backend becomes a file; see `keras_hrnet.export.process`."""

import json
import pathlib
import sys

import keras

from keras_hrnet.export.formats import FORMATS

if __name__ == "__main__":
    name, model_path, options_path, output_path = sys.argv[1:]
    options = FORMATS[name].options(**json.loads(pathlib.Path(options_path).read_text()))
    FORMATS[name].write(keras.saving.load_model(model_path, compile=False), options, pathlib.Path(output_path))
