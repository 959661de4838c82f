"""Runs `.tflite` files with LiteRT on the CPU, and inspects them."""

import collections
import os
import pathlib
import statistics
import time
import warnings
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_hrnet.export.graph import COMPILED_PART, read_graph
from keras_hrnet.export.runner import Runner

# Runs are few and limited in time, because a large network needs seconds for each run.
LATENCY_RUNS = 5
LATENCY_SECONDS = 3.0


def run_tflite(path: str | os.PathLike, images: np.ndarray) -> np.ndarray:
    """Runs a `.tflite` file on images with LiteRT, on all cores of the CPU.

    Args:
        path: path of the file.
        images: `(num_images, height, width, channels)`, RGB in [0, 255] or the input of its network, of the size that
            the file was exported for. The number of images does not depend on the batch size of the file. They are
            converted to its dtype, uint8 or float32.

    Returns:
        The outputs of the file, for example float32 logits `(num_images, height, width, num_classes)`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the images have another shape than the file was exported for.
    """
    return TFLiteModel(path)(images)


class TFLiteModel(Runner):
    """A `.tflite` file of one input and one output, ready to run on the CPU.

    Args:
        file: its path, or its bytes.
        num_threads: number of threads; None uses all cores.
        keeps_tensors: whether all tensors can be read after a run, at the cost of memory and speed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if LiteRT cannot run it.
    """

    def __init__(
        self, file: str | os.PathLike | bytes, num_threads: int | None = None, *, keeps_tensors: bool = False
    ) -> None:
        if isinstance(file, bytes):
            self.path, source = "bytes", {"model_content": file}
        else:
            self.path, source = pathlib.Path(file), {"model_path": str(file)}
            if not self.path.is_file():
                raise FileNotFoundError(f"Received the path {str(file)!r}. Expected a .tflite file. Check the name.")
        options = {"experimental_preserve_all_tensors": True} if keeps_tensors else {}
        try:
            with warnings.catch_warnings():
                # LiteRT warns that keeping tensors is meant for debugging, which is the purpose here.
                warnings.simplefilter("ignore", UserWarning)
                self.interpreter = Interpreter(**source, **options, num_threads=num_threads or os.cpu_count())
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            if COMPILED_PART in str(error):
                raise ValueError(
                    f"Received the file {str(self.path)!r}, which was compiled for an NPU. Expected a file that runs "
                    "on the CPU. Pass the file that it was compiled from."
                ) from error
            raise ValueError(
                f"Received the file {str(self.path)!r}, which LiteRT cannot run ({error}). Expected a complete "
                ".tflite file of builtin operators. Export it again."
            ) from error
        (self.input_details,) = self.interpreter.get_input_details()
        (self.output_details,) = self.interpreter.get_output_details()
        self.dtype = self.input_details["dtype"]
        self.batch_size, *size, self.channels = self.input_details["shape"].tolist()
        self.image_size = tuple(size)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        images = np.asarray(images)
        if images.shape[1:] != (*self.image_size, self.channels) or len(images) == 0:
            raise ValueError(
                f"Received images of shape {images.shape} for {str(self.path)!r}. Expected (num_images, "
                f"{', '.join(map(str, self.image_size))}, {self.channels}), which the file was exported for. Resize "
                "them, or export the network again with their image_size."
            )
        return super().__call__(images)

    def run(self, images: np.ndarray) -> np.ndarray:
        self.interpreter.set_tensor(self.input_details["index"], images)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output_details["index"])

    def values(self, tensor: dict[str, Any]) -> np.ndarray | None:
        """Returns the values of a tensor in the last run, or None if it has none because it is internal to a delegate.

        Args:
            tensor: one of `interpreter.get_tensor_details()`.
        """
        try:
            values = self.interpreter.get_tensor(tensor["index"])
        except ValueError:
            return None
        return values if values.size else None

    def latency(self) -> float:
        """Measures the seconds per batch: the median of at most five runs, none of which starts after three seconds.

        Call it after the first run, which is slower.
        """
        seconds = []
        while len(seconds) < LATENCY_RUNS and sum(seconds) < LATENCY_SECONDS:
            start = time.perf_counter()
            self.interpreter.invoke()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)


def operators(path: str | os.PathLike | bytes) -> dict[str, int]:
    """Counts the operators of a `.tflite` file by name, for example "CONV_2D", most frequent first."""
    return dict(collections.Counter(operator.name for operator in read_graph(path).operators).most_common())
