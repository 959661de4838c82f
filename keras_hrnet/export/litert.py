"""Runs `.tflite` files with LiteRT on the CPU, and says what is in them."""

import collections
import os
import pathlib
import statistics
import time

import numpy as np

from keras_hrnet.export.graph import read_graph

# Few runs and a bound in seconds: a large network needs seconds for each.
LATENCY_RUNS = 5
LATENCY_SECONDS = 3.0


def run_tflite(path, images):
    """Runs a `.tflite` file on images with LiteRT, on all cores of the CPU.

    Args:
        path: the file.
        images: `(num_images, height, width, 3)`, RGB in [0, 255], of the size that the file was made for; any number
            of them, whatever its batch size. They are converted to its dtype: uint8 or float32.

    Returns:
        What the file answers, for example float32 logits `(num_images, height, width, num_classes)`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the images have another shape than it was made for.
    """
    return TFLiteModel(path)(images)


class TFLiteModel:
    """A `.tflite` file of one input and one output, ready to run on the CPU.

    Args:
        file: its path, or its bytes.
        num_threads: on how many cores; None for all.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if LiteRT cannot run it.
    """

    def __init__(self, file, num_threads=None):
        from ai_edge_litert.interpreter import Interpreter

        if isinstance(file, bytes):
            self.path, source = "bytes", {"model_content": file}
        else:
            self.path, source = pathlib.Path(file), {"model_path": str(file)}
            if not self.path.is_file():
                raise FileNotFoundError(f"Received the path {str(file)!r}. Expected a .tflite file. Check the name.")
        try:
            self.interpreter = Interpreter(**source, num_threads=num_threads or os.cpu_count())
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"Received the file {str(self.path)!r}, which LiteRT cannot run ({error}). Expected a whole .tflite "
                "file of builtin operators. Export it again."
            ) from error
        (self.input_details,) = self.interpreter.get_input_details()
        (self.output_details,) = self.interpreter.get_output_details()

    def __call__(self, images):
        """Answers for any number of images; see `run_tflite`."""
        images = np.asarray(images)
        batch_size, *image_shape = self.input_details["shape"].tolist()
        if images.ndim != 4 or list(images.shape[1:]) != image_shape or len(images) == 0:
            raise ValueError(
                f"Received images of shape {images.shape} for {str(self.path)!r}. Expected (num_images, "
                f"{', '.join(map(str, image_shape))}), which the file was made for. Resize them, or export again with "
                "their image_size."
            )
        # The last batch is filled up with copies of the last image, whose answers are dropped.
        missing = -len(images) % batch_size
        filled = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing else images
        answers = [self._run(filled[i : i + batch_size]) for i in range(0, len(filled), batch_size)]
        # Full-size logits are large: one batch of them is not copied.
        return (answers[0] if len(answers) == 1 else np.concatenate(answers))[: len(images)]

    def latency(self):
        """Measures how long a batch takes: the median of up to five runs or three seconds.

        Call it after a first answer, which is slower.

        Returns:
            Seconds.
        """
        seconds = []
        while len(seconds) < LATENCY_RUNS and sum(seconds) < LATENCY_SECONDS:
            start = time.perf_counter()
            self.interpreter.invoke()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)

    def _run(self, images):
        self.interpreter.set_tensor(self.input_details["index"], images.astype(self.input_details["dtype"]))
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output_details["index"])


def operators(path):
    """Counts the operators of a `.tflite` file.

    Args:
        path: the file.

    Returns:
        A dict from names, for example "CONV_2D", to how often each occurs, most frequent first. Operators that are
        not builtin have the name that the file gives them.
    """
    return dict(collections.Counter(operator.name for operator in read_graph(path).operators).most_common())
