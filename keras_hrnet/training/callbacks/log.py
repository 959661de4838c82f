"""The logs of a run as a table, one row an epoch."""

import csv
import pathlib

import keras

from keras_hrnet.replacing import replacing


class Log(keras.callbacks.Callback):
    """Writes the logs of each epoch to a CSV file, which is whole at any time.

    Unlike `keras.callbacks.CSVLogger`, it goes on with the file of a run that was interrupted: epochs that are done
    once more have one row, and columns that only some epochs have, such as those of a validation, stay columns.

    Args:
        path: the file; where there is a value for other epochs only, it says NA.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)

    def on_epoch_end(self, epoch, logs=None):
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
