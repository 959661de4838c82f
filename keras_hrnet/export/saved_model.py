"""Writes a network as a SavedModel, which needs only TensorFlow: the public function `export_saved_model`."""

import json
import os
import pathlib
from typing import Any

import keras
import numpy as np

from keras_hrnet.backends.host_tensorflow import host_tensorflow
from keras_hrnet.export.format import Format
from keras_hrnet.export.function import answer_function
from keras_hrnet.export.metadata import parse
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.export.pipeline import export_network
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.runner import Runner, known_size
from keras_hrnet.models.interface import has_own_unit

SIGNATURE = "serving_default"
# TensorFlow reserves this folder for additional files.
METADATA = "assets.extra/keras_hrnet.json"


def export_saved_model(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    image_size: tuple[int | None, int | None] | None = None,
    representative_data: Any = None,
) -> ExportReport:
    """Writes a network as a SavedModel, loads it, and keeps it only if its outputs agree with Keras.

    Its signature "serving_default" maps "images", uint8 `(batch, height, width, 3)`, RGB in [0, 255], to "logits",
    float32, for every pixel or for the image; both are channels last even if the model is channels first. A network
    with its own mean and deviation accepts float32 images. It accepts any number of images of any size, unless the
    model or `image_size` fixes it. TensorFlow loads it without Keras and without this package, on CPUs and GPUs.
    Weights are constants, and normalizations are folded into them. It is therefore for inference only, and cannot be
    larger than two gigabytes.

    The classes, their colors and its origin are stored in "assets.extra/keras_hrnet.json" (`read_metadata`). A report
    is written next to it as JSON: "w48.json" for the folder "w48". Under JAX and PyTorch, a separate TensorFlow process
    exports the weights, which takes a few seconds longer.

    Args:
        model: a functional network from RGB images to logits, in float32.
        path: the folder to create. An existing SavedModel, or an empty folder, is replaced after the new one has been
            verified; any other folder or file is not replaced.
        image_size: (height, width) of the images in pixels; None for what the model accepts.
        representative_data: images for the comparison: an array `(num_images, height, width, 3)` or an iterable of
            batches of images or of `(images, labels)`; the first four are used. None means noise and gradients, of two
            sizes if the size may vary.

    Returns:
        An `ExportReport`: size and differences from Keras; `print` shows it.

    Raises:
        FileNotFoundError: if the parent folder of `path` does not exist.
        FileExistsError: if `path` is something other than a SavedModel.
        TypeError: if `model` is not a functional model from one tensor to one.
        ValueError: if it does not return logits, computes in half precision, or `image_size` or the images do not match
            it.
        RuntimeError: if the SavedModel differs from Keras by more than 0.5 % of the largest logit, or the TensorFlow
            process fails. In that case, nothing is kept.

    Example:

    ```python
    report = keras_hrnet.export_saved_model(model, "w48")
    print(report)

    import tensorflow as tf

    network = tf.saved_model.load("w48").signatures["serving_default"]
    logits = network(images=image[None])["logits"]
    ```
    """
    dtype = "float32" if isinstance(model, keras.Model) and has_own_unit(model) else "uint8"
    return export_network(SAVED_MODEL, model, path, ExportOptions(image_size, input_dtype=dtype), representative_data)


class SavedModel(Format):
    """SavedModel folders, which TensorFlow loads."""

    name = "saved_model"
    title = "SavedModel"
    contents = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra")

    def write(self, network: keras.Model, options: ExportOptions, path: pathlib.Path) -> None:
        import tensorflow as tf

        # With constants, HRNetW18Small loads in 0.2 s; with variables, in 0.6 s.
        signature = answer_function(network, options, freezes=True).get_concrete_function()
        tf.saved_model.save(tf.Module(), str(path), signatures={SIGNATURE: signature})

    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        (path / METADATA).parent.mkdir(exist_ok=True)
        (path / METADATA).write_text(json.dumps(metadata, indent=2) + "\n")

    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        return parse((path / METADATA).read_bytes(), path) if (path / METADATA).is_file() else None

    def open(self, path: pathlib.Path, num_threads: int | None = None) -> Runner:
        return SavedModelRunner(path)


class SavedModelRunner(Runner):
    """The signature "serving_default" of a SavedModel in TensorFlow.

    Args:
        path: the folder.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.tensorflow = host_tensorflow()
        self.loaded = self.tensorflow.saved_model.load(str(path))  # It keeps the variables alive.
        self.signature = self.loaded.signatures[SIGNATURE]
        ((self.input_name, spec),) = self.signature.structured_input_signature[1].items()
        self.dtype = spec.dtype.name
        self.batch_size, *size, self.channels = spec.shape.as_list()
        self.image_size = known_size(size)

    def run(self, images: np.ndarray) -> np.ndarray:
        (answer,) = self.signature(**{self.input_name: self.tensorflow.constant(images)}).values()
        return answer.numpy()


SAVED_MODEL = SavedModel()
