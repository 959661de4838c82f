"""Runs an exported file in place of its network; `evaluate` and `predict` accept it like a Keras model."""

import os
import pathlib

import keras
import numpy as np

from keras_hrnet.export.formats import find_metadata, open_runner
from keras_hrnet.export.metadata import described
from keras_hrnet.models.interface import ForeignNetwork

# A file that accepts images of any size is run once with this size, to find the shape of its output.
ASKED_SIZE = 64
LEAST_PROBABILITY = np.finfo("float32").tiny


class ExportedNetwork(ForeignNetwork):
    """A `.tflite`, `.onnx` or `.xml` file or a SavedModel on the CPU, for `evaluate` and `predict`.

    Its classes are those stored in the file. For a file that returns probabilities, it returns their logarithms, so
    that labels and averaged probabilities equal those of the network.

    Args:
        path: the file, or the folder of a SavedModel.
        num_threads: number of threads, as in `keras_hrnet.export.formats.open_runner`.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if it has another format, or does not return an output for each pixel.

    Example:

    ```python
    network = keras_hrnet.export.ExportedNetwork("v2_int8.tflite")
    print(keras_hrnet.evaluate(network, val))
    ```
    """

    def __init__(self, path: str | os.PathLike, num_threads: int | None = None) -> None:
        path = pathlib.Path(path)
        self.name = path.name
        self._runner = open_runner(path, num_threads)
        known = described(find_metadata(path), path)
        self._is_probabilities = known is not None and known.is_probabilities
        size = self._runner.image_size or (None, None)
        if known and self._runner.image_size is None:
            size = known.size
        asked = tuple(length or ASKED_SIZE for length in size)
        channels = self._runner.channels
        answer = self._runner(np.zeros((1, *asked, channels), np.uint8))
        if answer.ndim > 2 and answer.shape[1:3] != asked:
            raise ValueError(
                f"Received the file {str(path)!r}, which returns {answer.shape[1]}x{answer.shape[2]} outputs for an "
                f"image of {asked[0]}x{asked[1]}. Expected an output for each pixel. Export the network with "
                "output='logits', or 'labels'."
            )
        self.inputs = [keras.KerasTensor((None, *size, channels), self._runner.dtype)]
        self.outputs = [keras.KerasTensor((None, *size, *answer.shape[3:]), answer.dtype.name)]
        if answer.ndim == 2:  # Such a file classifies images, and `check_model` refuses it.
            self.outputs = [keras.KerasTensor((None, answer.shape[1]), answer.dtype.name)]
        self.classes = known and known.classes
        self.convention = known and known.convention
        self.takes_pixels = known is None or known.takes_pixels

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        answer = self._runner(images)
        return np.log(np.maximum(answer, LEAST_PROBABILITY)) if self._is_probabilities else answer
