"""What a kind of exported file is to the pipeline: how it is written, finished, opened and described."""

import abc
import pathlib
from typing import Any, ClassVar

import keras
import numpy as np

from keras_hrnet.export.comparison import Reference
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.export.runner import Runner


class Format(abc.ABC):
    """A kind of file, or of folder, that networks are exported to.

    A new one is a subclass in a file of its own, a function `export_…` there that calls `export_network`, and a line in
    `keras_hrnet.export.formats`.

    Attributes:
        name: what the TensorFlow process calls it.
        title: what reports call it.
        suffix: of its files; "" for a folder.
        contents: what may be in such a folder; first what tells it from other folders.
        options: the class of its options.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str] = ""
    contents: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[type[ExportOptions]] = ExportOptions

    @abc.abstractmethod
    def write(self, network: keras.Model, options: ExportOptions, path: pathlib.Path) -> None:
        """Writes a network, as `optimize_for_inference` leaves it, on the TensorFlow backend."""

    def files(self, path: pathlib.Path) -> list[pathlib.Path]:
        """Returns the files, or the folder, that belong to the one at a path."""
        return [path]

    @abc.abstractmethod
    def open(self, path: pathlib.Path, num_threads: int | None = None) -> Runner:
        """Opens a file to run it on the CPU, on so many cores; None for all."""

    def refine(
        self, path: pathlib.Path, options: ExportOptions, calibration: np.ndarray | None, expected: Reference
    ) -> dict[str, Any]:
        """Changes what was written, on any backend, and returns what the report says of it."""
        return {}

    def departure(
        self, network: keras.Model, path: pathlib.Path, options: ExportOptions, image: np.ndarray
    ) -> str | None:
        """Finds the layer of a network where a file that failed departs from it first."""
        return None

    @abc.abstractmethod
    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        """Puts into a file what JSON holds, for the program that runs it."""

    @abc.abstractmethod
    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        """Returns what `add_metadata` put there, or None."""

    def measure(self, path: pathlib.Path, runner: Runner) -> dict[str, Any]:
        """Returns what else the report says of a file that was run."""
        return {}

    def report_title(self, options: ExportOptions) -> str:
        """Returns what the report of a file calls its format."""
        return self.title

    def is_at(self, path: pathlib.Path) -> bool:
        """Returns whether such a file is at a path."""
        if self.contents:
            return (path / self.contents[0]).is_file()
        return path.is_file() and path.suffix == self.suffix
