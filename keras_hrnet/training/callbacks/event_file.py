"""Writes the files that TensorBoard reads, without the package `tensorboard`, which `tf.summary` needs."""

from __future__ import annotations

import io
import os
import pathlib
import socket
import time
from typing import TYPE_CHECKING

from keras_hrnet.backends.host_tensorflow import host_tensorflow

if TYPE_CHECKING:
    import PIL.Image

# TensorBoard expects this text in the first record of a file.
FILE_VERSION = "brain.Event:2"
BEGINNING = "events.out.tfevents."


class EventFile:
    """A file of numbers and pictures over epochs, for TensorBoard. Each record is written to the disk immediately.

    Args:
        folder: the folder in which to create the file; TensorBoard shows the files of one folder as one run.
    """

    def __init__(self, folder: str | os.PathLike):
        self.tensorflow = host_tensorflow()
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard recognizes its files by "tfevents". The time in nanoseconds distinguishes the files of one folder.
        name = f"{BEGINNING}{_time_after(folder)}.{socket.gethostname()}.{time.time_ns()}"
        self.writer = self.tensorflow.io.TFRecordWriter(str(folder / name))
        self._write(file_version=FILE_VERSION)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Adds a number to a curve, at a step."""
        self._add(step, tag=name, simple_value=float(value))

    def add_picture(self, name: str, picture: PIL.Image.Image, step: int) -> None:
        """Adds a picture, RGB, to a row of pictures, at a step."""
        file = io.BytesIO()
        picture.save(file, "PNG")
        summary = self.tensorflow.compat.v1.Summary
        image = summary.Image(
            height=picture.height, width=picture.width, colorspace=3, encoded_image_string=file.getvalue()
        )
        self._add(step, tag=name, image=image)

    def close(self) -> None:
        self.writer.close()

    def _add(self, step, **value):
        summary = self.tensorflow.compat.v1.Summary
        self._write(step=step, summary=summary(value=[summary.Value(**value)]))

    def _write(self, **content):
        event = self.tensorflow.compat.v1.Event(wall_time=time.time(), **content)
        self.writer.write(event.SerializeToString())
        self.writer.flush()


def _time_after(folder):
    """Returns the time in seconds, or a later one than in the names of all files of a folder.

    TensorBoard reads the files in the order of their names, even if the clock was set back.
    """
    times = (path.name.removeprefix(BEGINNING).partition(".")[0] for path in folder.glob(f"{BEGINNING}*"))
    return max([int(time.time()), *(int(text) + 1 for text in times if text.isdecimal())])
