"""Compares the times in which `score_predictions` and the evaluator of cityscapesScripts score label images.

Both score the same 100 synthetic pairs of 1024×2048 pixels with instances, in alternation, and must write the same
numbers.

Command:  python examples/benchmarks/evaluation.py (requires `pip install cityscapesscripts`)
Hardware: any CPU; compare ratios instead of seconds. It takes about 100 MB of disk space and 500 MB of memory.
Time:     a minute on two CPU cores.
Result:   see examples/benchmarks/README.md.
"""

import argparse
import importlib
import json
import math
import os
import pathlib
import shutil
import statistics
import tempfile
import time

import numpy as np
import PIL.Image

from keras_hrnet.evaluation.official import score_predictions
from keras_hrnet.streets.synthesis import synthesize

SIZE = (1024, 2048)
NUM_STREETS = 5
TOLERANCE = 1e-12


def make_pairs(folder, num_pairs):
    """Writes labels, instances, and predictions with random errors; returns the root and the folder of predictions."""
    streets = synthesize(folder / "streets", num_train=0, num_val=NUM_STREETS, num_test=0, size=SIZE).root
    drawn = sorted(streets.rglob("*_gtFine_labelIds.png"))
    root, predictions = folder / "cityscapes", folder / "predictions"
    rng = np.random.default_rng(0)
    for number in range(num_pairs):
        city = f"city{number % NUM_STREETS}"
        name = f"{city}_{number:06d}_000019"
        truths = root / "gtFine" / "val" / city
        for parent in (truths, predictions / city):
            parent.mkdir(parents=True, exist_ok=True)
        source = drawn[number % NUM_STREETS]
        shutil.copy(source, truths / f"{name}_gtFine_labelIds.png")
        instances = source.with_name(source.name.replace("labelIds", "instanceIds"))
        shutil.copy(instances, truths / f"{name}_gtFine_instanceIds.png")
        with PIL.Image.open(source) as image:
            prediction = with_errors(np.asarray(image), rng)
        PIL.Image.fromarray(prediction).save(predictions / city / f"{name}_leftImg8bit.png", compress_level=1)
    return root, predictions


def with_errors(labels, rng):
    """Returns a copy that is shifted by a few pixels, and has patches of all 34 label ids."""
    prediction = np.roll(labels, rng.integers(-3, 4, size=2), axis=(0, 1))
    for _ in range(60):
        top, left = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
        prediction[top : top + rng.integers(5, 120), left : left + rng.integers(5, 160)] = rng.integers(0, 34)
    return prediction


def load_evaluator():
    if not hasattr(np, "in1d"):
        # NumPy 2.4 removed `in1d`, which cityscapesScripts calls.
        np.in1d = np.isin
    return importlib.import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")


def official_scores(evaluator, predictions, root, export_file):
    """Does the same as `main` of cityscapesScripts, and reads the file that this writes."""
    args = evaluator.args
    args.quiet, args.exportFile = True, str(export_file)
    args.predictionPath, args.predictionWalk = str(predictions), None
    truths = [str(path) for path in sorted((root / "gtFine" / "val").glob("*/*_gtFine_labelIds.png"))]
    evaluator.evaluateImgLists([evaluator.getPrediction(args, truth) for truth in truths], truths, args)
    return json.loads(export_file.read_text())


def own_scores(predictions, root, export_file, num_workers):
    score_predictions(predictions, root, num_workers=num_workers).write(export_file)
    return json.loads(export_file.read_text())


def largest_difference(measured, expected, name=""):
    """Returns the largest difference between corresponding numbers; exits if the results do not agree."""
    if isinstance(expected, dict) and measured.keys() == expected.keys():
        return max(largest_difference(measured[key], expected[key], f"{name}/{key}") for key in expected)
    if isinstance(expected, float) and isinstance(measured, float):
        if math.isnan(expected) and math.isnan(measured):
            return 0.0
        if abs(measured - expected) <= TOLERANCE:
            return abs(measured - expected)
    elif measured == expected:
        return 0.0
    raise SystemExit(f"{name}: {measured} is not the official {expected}.")


def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def compare(folder, num_pairs, runs):
    """Prints a table of the times."""
    root, predictions = make_pairs(folder, num_pairs)
    evaluator = load_evaluator()
    counts = sorted({1, os.cpu_count() or 1})
    official, own, difference = [], {count: [] for count in counts}, 0.0
    for _ in range(runs):
        seconds, expected = timed(official_scores, evaluator, predictions, root, folder / "official.json")
        official.append(seconds)
        for count in counts:
            seconds, measured = timed(own_scores, predictions, root, folder / "own.json", count)
            own[count].append(seconds)
            difference = max(difference, largest_difference(measured, expected))
    print("| evaluator | workers | seconds per pair | official / this, median |")
    print("| --- | ---: | ---: | ---: |")
    print(f"| cityscapesScripts | 1 | {statistics.median(official) / num_pairs:.4f} | 1.00 |")
    for count, seconds in own.items():
        ratio = statistics.median(a / b for a, b in zip(official, seconds, strict=True))
        print(f"| `score_predictions` | {count} | {statistics.median(seconds) / num_pairs:.4f} | {ratio:.2f} |")
    kind = "Cython" if evaluator.CSUPPORT else "NumPy"
    print(
        f"{num_pairs} pairs of {SIZE[0]}×{SIZE[1]}, {runs} runs; cityscapesScripts with {kind}; "
        f"largest difference between two numbers: {difference:.1e}"
    )


def main():
    parser = argparse.ArgumentParser(description="Times the scoring of label images.")
    parser.add_argument("--pairs", type=int, default=100, help="number of label images")
    parser.add_argument("--runs", type=int, default=3, help="number of runs of each evaluator")
    parser.add_argument("--folder", type=pathlib.Path, help="folder for the images, which are then kept")
    options = parser.parse_args()
    if options.folder is not None:
        compare(options.folder, options.pairs, options.runs)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(pathlib.Path(folder), options.pairs, options.runs)


if __name__ == "__main__":
    main()
