"""The base class of file formats, which write, refine, open and describe their files."""

import abc
import pathlib
from typing import Any, ClassVar

import keras
import numpy as np

from keras_hrnet.export.comparison import Reference
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.export.runner import Runner


class Format(abc.ABC):
    """A format of files or folders to which networks are exported.

    To add a format, write a subclass in its own file, add a function `export_…` there that calls `export_network`, and
    add a line to `keras_hrnet.export.formats`.

    Attributes:
        name: name of the format in the TensorFlow process.
        title: name of the format in reports.
        suffix: suffix of its files; "" for a folder.
        contents: names that such a folder may contain; the first one distinguishes it from other folders.
        options: the class of its options.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str] = ""
    contents: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[type[ExportOptions]] = ExportOptions

    @abc.abstractmethod
    def write(self, network: keras.Model, options: ExportOptions, path: pathlib.Path) -> None:
        """Writes a network that `optimize_for_inference` returned, on the TensorFlow backend."""

    def files(self, path: pathlib.Path) -> list[pathlib.Path]:
        """Returns the files, or the folder, that belong to the one at a path."""
        return [path]

    @abc.abstractmethod
    def open(self, path: pathlib.Path, num_threads: int | None = None) -> Runner:
        """Opens a file to run it on the CPU, with a number of threads; None uses all cores."""

    def refine(
        self, path: pathlib.Path, options: ExportOptions, calibration: np.ndarray | None, expected: Reference
    ) -> dict[str, Any]:
        """Changes the written file, on any backend, and returns further entries of the report."""
        return {}

    def departure(
        self, network: keras.Model, path: pathlib.Path, options: ExportOptions, image: np.ndarray
    ) -> str | None:
        """Finds the first layer in which a file that was refused differs from its network; None if it is unknown."""
        return None

    @abc.abstractmethod
    def add_metadata(self, path: pathlib.Path, metadata: dict[str, Any]) -> None:
        """Stores metadata in a file, for the program that runs it."""

    @abc.abstractmethod
    def read_metadata(self, path: pathlib.Path) -> dict[str, Any] | None:
        """Returns the metadata that `add_metadata` stored, or None."""

    def measure(self, path: pathlib.Path, runner: Runner) -> dict[str, Any]:
        """Returns further entries of the report, measured on the file."""
        return {}

    def report_title(self, options: ExportOptions) -> str:
        """Returns the name of the format in the report of a file."""
        return self.title

    def main_file(self, path: pathlib.Path) -> pathlib.Path:
        """Returns the path of the file that is opened first: the one at a path, or one in a folder there."""
        return path / self.contents[0] if self.contents else path

    def is_at(self, path: pathlib.Path) -> bool:
        """Returns whether a file of this format is at a path."""
        return self.main_file(path).is_file() and (bool(self.contents) or path.suffix == self.suffix)
