"""The TensorFlow process that exports a network of another backend, started by `keras_hrnet.export.process`."""

import importlib
import importlib.util
import json
import pathlib
import sys

import keras

from keras_hrnet.export.formats import FORMATS


def import_module(name: str, file: str | None) -> None:
    """Imports a module by its name, or from its file if the name is not found."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        if file is None:
            raise
        spec = importlib.util.spec_from_file_location(name, file)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


if __name__ == "__main__":
    task_path, model_path, output_path = map(pathlib.Path, sys.argv[1:])
    task = json.loads(task_path.read_text())
    for name, file in task["modules"].items():
        import_module(name, file)
    kind = FORMATS[task["kind"]]
    network = keras.saving.load_model(model_path, compile=False)
    kind.write(network, kind.options(**task["options"]), output_path)
