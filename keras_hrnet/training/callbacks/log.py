"""Writes and reads the logs of a run as a table with one row per epoch."""

import csv
import math
import os
import pathlib

import keras

from keras_hrnet.replacing import replacing


class Log(keras.callbacks.Callback):
    """Writes the logs of each epoch to a CSV file, which is complete at any time.

    Unlike `keras.callbacks.CSVLogger`, it continues the file of an interrupted run: repeated epochs have a single row,
    and columns that only some epochs have, such as those of validation, are kept.

    Args:
        path: the file; it contains NA where an epoch has no value.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__()
        self.path = pathlib.Path(path)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        rows = [row for row in self._rows() if int(row["epoch"]) < epoch]
        rows.append({"epoch": epoch, **(logs or {})})
        names = {name for row in rows for name in row} - {"epoch"}
        with replacing(self.path) as part, part.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["epoch", *sorted(names)], restval="NA")
            writer.writeheader()
            writer.writerows(rows)

    def _rows(self):
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))


def read_log(path: str | os.PathLike) -> dict[str, list[float]]:
    """Reads the columns of a file that `Log` or `keras.callbacks.CSVLogger` wrote, in the order of the epochs.

    Missing values are NaN.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Received the log {str(path)!r}. Expected a file that keras_hrnet.training.callbacks.Log writes. Put a "
            "Log with that path before Curves in the list of callbacks."
        )
    with path.open(newline="") as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    epochs = sorted(rows)
    columns = rows[epochs[0]] if epochs else ()
    return {name: [_number(rows[epoch][name]) for epoch in epochs] for name in columns}


def _number(text):
    return math.nan if text in (None, "", "NA") else float(text)
