"""Measures what each precision of a `.tflite` file costs in mean IoU, for networks trained on real photos.

Command:  python examples/benchmarks/real_precision.py data/camvid runs/v2/best.keras runs/small_ocr/best.keras
Hardware: any.
Result:   a table in results.md and the exported files, in the folder `precision`.

Integers are calibrated with training photos that are spread evenly over the split, and every file is scored on all
validation photos. All photos must have the same size, for which the files are exported.
"""

import argparse
import math
import pathlib

import keras
import numpy as np
from exports import file_of, latencies

import keras_hrnet
from keras_hrnet.data_sets import DATA_SETS
from keras_hrnet.export import ExportedNetwork
from keras_hrnet.export.options import half_precision
from keras_hrnet.heads import head_of
from keras_hrnet.replacing import replacing

PRECISIONS = ("float32", "float16", "dynamic", "int8", "mixed")
# The number of representative images that `export_tflite` uses.
NUM_PHOTOS = 64
COLUMNS = (
    "network",
    "head",
    "precision",
    "in floats",
    "MB",
    "labels as Keras %",
    "mIoU %",
    "difference from Keras",
    "class that loses most",
    "XNNPACK",
    "GPU",
    "ms",
)


def main():
    parser = argparse.ArgumentParser(description="Scores trained networks as `.tflite` files of each precision.")
    parser.add_argument("data", type=pathlib.Path, help="the root of the data set that the networks were trained on")
    parser.add_argument("models", type=pathlib.Path, nargs="+", metavar="MODEL", help="a trained network, `.keras`")
    parser.add_argument("--data-set", default="camvid", choices=DATA_SETS)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("precision"))
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=[*PRECISIONS, "int16x8"])
    parser.add_argument(
        "--rounds", type=int, default=9, help="number of runs of each file for its median latency; 0 for none"
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    read = getattr(keras_hrnet.data, options.data_set)
    photos, val = calibration_photos(read(options.data, "train", augment=False)), read(options.data, "val")
    rows = {}
    for number, path in enumerate(options.models, 1):
        rows |= rows_of(number, path, photos, val, options.folder, options.precisions)
    times = latencies(options.folder, [key for key in rows if file_of(options.folder, key).exists()], options.rounds)
    lines = [" | ".join(COLUMNS), " | ".join(["---"] * 3 + ["---:"] * 5 + ["---", "---:", "---:", "---:"])]
    lines += [" | ".join([*row, f"{times[key]:.0f}" if key in times else ""]) for key, row in rows.items()]
    table = "".join(f"| {line} |\n" for line in lines)
    with replacing(options.folder / "results.md") as part:
        part.write_text(table, encoding="utf-8")
    print(table, end="")


def calibration_photos(dataset):
    """Selects photos from all parts of a split, because the first ones may show the same street."""
    step = math.ceil(len(dataset) / NUM_PHOTOS)
    return [image for i, (image, _) in enumerate(dataset.as_numpy_iterator()) if i % step == 0]


def rows_of(number, path, photos, val, folder, precisions):
    """Exports a network in each precision, and scores the files; returns the row of each file, by its key."""
    model = keras.models.load_model(path, compile=False)
    head = head_of(model) or "–"
    if half_precision(model):
        # Files are written from float32, and the weights are stored in it.
        model = keras_hrnet.optimize_for_inference(model, dtype="float32")
    of_keras, rows = keras_hrnet.evaluate(model, val, boundary_ratio=None), {}
    for precision in precisions:
        key = (str(number), model.name, precision)
        columns = columns_of(model, of_keras, key, photos, val, folder)
        rows[key] = (model.name, head, precision, *columns)
    return rows


def columns_of(model, of_keras, key, photos, val, folder):
    """Exports and scores a file; returns the columns after the precision, or the error if the file is refused."""
    # A file of an earlier run would be timed as this one if this one is refused.
    file_of(folder, key).unlink(missing_ok=True)
    try:
        report = keras_hrnet.export_tflite(
            model,
            file_of(folder, key),
            image_size=photos[0].shape[1:3],
            precision=key[-1],
            representative_data=photos,
        )
    except RuntimeError as error:
        return ("", "", "", "", "", f"refused: {str(error).partition('. ')[0]}", "", "")
    score = keras_hrnet.evaluate(ExportedNetwork(report.path), val, boundary_ratio=None)
    changes = np.nan_to_num(100 * (score.iou - of_keras.iou))
    worst = int(np.argmin(changes))
    return (
        str(len(report.float_layers)),
        f"{report.size_bytes / 1e6:.1f}",
        f"{100 * report.label_agreement:.2f}",
        f"{100 * score.mean_iou:.2f}",
        f"{100 * (score.mean_iou - of_keras.mean_iou):+.2f}",
        f"{score.class_names[worst]} {changes[worst]:+.2f}",
        *(f"{100 * part.share:.0f} % in {part.partitions}" for part in report.delegates.values()),
    )


if __name__ == "__main__":
    main()
