"""Compares HRNet, HRFormer, Lite-HRNet, U-Net and DeepLabV3+, trained on real streets from random weights.

Command:  python examples/benchmarks/real_streets.py data/camvid comparison
          python examples/benchmarks/real_streets.py data/camvid comparison --seeds 3 --minutes 60
Hardware: any; to save time, leave UNet-31M out of `--networks`, because it needs the most multiplications.
Result:   results.md, results.json and results.png in the folder; see examples/benchmarks/README.md.

For each seed, all networks are trained with the recipe `from_scratch` on the same crops in the same order, for the same
number of steps. With `--minutes`, a second table compares training for the same time, for which the number of steps is
computed from the time of a step. Each network is trained with the better of two learning rates, which is the one that
scored higher on the validation photos after a short run.

The folder keeps everything. If the command is run again, it resumes an interrupted run from its last save, and does not
repeat finished runs. The tables are updated whenever a network is finished.
"""

import argparse
import dataclasses
import gc
import json
import math
import pathlib
import statistics
import time

import keras
import numpy as np
from exports import file_of, latencies
from PIL import Image
from real_precision import calibration_photos
from street_networks import NETWORKS

import keras_hrnet
from keras_hrnet.data import camvid
from keras_hrnet.data_sets import DATA_SETS
from keras_hrnet.export import ExportedNetwork
from keras_hrnet.export.graph import read_graph
from keras_hrnet.replacing import replacing
from keras_hrnet.training import RECIPES, read_run

NUM_CLASSES = len(DATA_SETS["camvid"].classes.names)
THIN_CLASSES = ("Pole", "SignSymbol", "Pedestrian")
# These options must not change within a folder, because its rows would no longer be comparable.
FIXED = ("data", "shrink", "crop", "batch", "rates", "trial_steps")


def main():
    parser = argparse.ArgumentParser(description="Compares networks on CamVid.")
    parser.add_argument("data", type=pathlib.Path, help="the root of CamVid, as `keras_hrnet.data.camvid` reads it")
    parser.add_argument(
        "folder", type=pathlib.Path, help="folder for runs, files and tables; an interrupted comparison is resumed"
    )
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NETWORK")
    parser.add_argument(
        "--steps", type=int, default=4500, help="number of steps of each run, rounded to full epochs; 0 for none"
    )
    parser.add_argument("--minutes", type=float, help="also train each network for this many minutes")
    parser.add_argument("--seeds", type=int, default=1, help="number of runs of each network")
    parser.add_argument(
        "--shrink", type=int, default=1, help="divide the size of the photos by this number, to save time"
    )
    parser.add_argument("--validations", type=int, default=20, help="number of validations of each run")
    parser.add_argument("--crop", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rates", type=float, nargs="+", default=(1e-3, 3e-3), help="learning rates to try")
    parser.add_argument(
        "--trial-steps", type=int, default=225, help="number of steps of the short run with each learning rate"
    )
    parser.add_argument("--int8", action="store_true", help="also score and time each network as an int8 file")
    parser.add_argument("--rounds", type=int, default=9, help="number of runs of each `.tflite` file for its median")
    options = parser.parse_args()
    if not options.steps and not options.minutes:
        parser.error("--steps 0 requires --minutes")
    options.folder.mkdir(parents=True, exist_ok=True)
    Comparison(options).run()


def shrunk(data, folder, factor):
    """Copies photos and masks at a smaller size: means for photos, and the upper left value for masks."""
    for path in sorted(path for path in data.rglob("*") if path.suffix in (".png", ".jpg")):
        copy = folder / path.relative_to(data)
        if copy.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image, replacing(copy) as part:
            is_photo = len(image.getbands()) == 3
            smaller = image.reduce(factor) if is_photo else Image.fromarray(np.asarray(image)[::factor, ::factor])
            smaller.save(part, format=image.format, quality=95, subsampling=0)
    return folder


class Comparison:
    """The folder of a comparison, in which each finished part has a row."""

    def __init__(self, options):
        self.options, self.folder, self.data = options, options.folder, options.data
        self.path = self.folder / "rows.json"
        fixed = json.loads(json.dumps({name: getattr(options, name) for name in FIXED}, default=str))
        kept = json.loads(self.path.read_text()) if self.path.exists() else {"options": fixed, "rows": {}}
        self.fixed, self.rows = fixed, kept["rows"]
        for name, value in fixed.items():
            if kept["options"][name] != value:
                raise SystemExit(
                    f"Received {name}={value} for the folder {self.folder}, whose results were measured with "
                    f"{kept['options'][name]}. Expected the same value for all results. Pass another folder."
                )

    def run(self):
        options = self.options
        if options.shrink > 1:
            self.data = shrunk(options.data, self.folder / "photos", options.shrink)
        kinds = [f"{options.steps} steps"] if options.steps else []
        kinds += [f"{options.minutes:g} minutes"] if options.minutes else []
        for kind in kinds:
            for seed in range(options.seeds):
                for network in options.networks:
                    self.row(f"{network}, {kind}, seed {seed}", self.trained, network, kind, seed)
                    try:
                        self.row(f"{network}, file", self.exported, network, kind)
                        if options.int8:
                            self.row(f"{network}, {kind}, int8 file", self.exported_in_int8, network, kind)
                    except RuntimeError as error:
                        print(f"{network} was not exported: {error}")
                    write_tables(self, kinds)
        # The rows of files, by what their names are made of.
        files = {(n,): self.rows.get(f"{n}, file") for n in options.networks}
        files |= {(n, k, "int8"): self.rows.get(f"{n}, {k}, int8 file") for n in options.networks for k in kinds}
        files = {key: row for key, row in files.items() if row and "refused" not in row}
        for key, milliseconds in latencies(self.folder, list(files), options.rounds).items():
            files[key]["milliseconds"] = milliseconds
        self.save()
        text, results = write_tables(self, kinds)
        plot(results, self.folder / "results.png")
        print(text)

    def row(self, key, make, *arguments):
        """Returns the row of a key, and makes it if it is missing."""
        if key not in self.rows:
            row = make(*arguments)
            self.rows[key] = row
            self.save()
            # Keras keeps memory for each network, which would add up.
            keras.utils.clear_session()
            gc.collect()
        return self.rows[key]

    def save(self):
        with replacing(self.path) as part:
            part.write_text(json.dumps({"options": self.fixed, "rows": self.rows}, indent=1) + "\n")

    def trial(self, network, rate):
        """Trains briefly with a learning rate; returns the score, and the time of a step."""
        clock = StepClock()
        run_dir = self.folder / network / f"rate-{rate:g}"
        self.train(network, run_dir, 0, rate, self.options.trial_steps, 1, [clock])
        result = read_run(run_dir)["result"]
        # A trial that was already complete has no times of single steps, only the total.
        seconds = statistics.median(clock.seconds) if clock.seconds else result["seconds"] / self.options.trial_steps
        return {"mean_iou": result["best_mean_iou"], "seconds_a_step": seconds}

    def trained(self, network, kind, seed):
        """Trains with the better learning rate, and scores the weights of the best validation."""
        trials = {rate: self.row(f"{network}, rate {rate:g}", self.trial, network, rate) for rate in self.options.rates}
        rate = max(trials, key=lambda rate: trials[rate]["mean_iou"])
        seconds_a_step = min(trial["seconds_a_step"] for trial in trials.values())
        in_time = kind.endswith("minutes")
        steps = round(60 * self.options.minutes / seconds_a_step) if in_time else self.options.steps
        run_dir = self.run_dir(network, kind, seed)
        model, steps = self.train(network, run_dir, seed, rate, steps, self.options.validations)
        report = keras_hrnet.evaluate(model, camvid(self.data, "val", verify=False))
        thin = {name: float(report.iou[report.class_names.index(name)]) for name in THIN_CLASSES}
        return {
            "steps": steps,
            "learning_rate": rate,
            "seconds_a_step": seconds_a_step,
            "seconds": read_run(run_dir)["result"]["seconds"],
            "parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
            "mean_iou": report.mean_iou,
            "mean_boundary_iou": report.mean_boundary_iou,
            **thin,
        }

    def run_dir(self, network, kind, seed):
        return self.folder / network / f"{kind.replace(' ', '-')}-seed-{seed}"

    def train(self, network, run_dir, seed, rate, steps, num_validations, callbacks=()):
        """Trains for full epochs; returns the network with its best weights, and the number of steps."""
        keras.utils.set_random_seed(seed)
        crop, batch = tuple(self.options.crop), self.options.batch
        sizes = {"learning_rate": rate, "batch_size": batch, "crop_size": crop, "repeats": 1}
        recipe = dataclasses.replace(RECIPES["from_scratch"], **sizes)
        train = camvid(self.data, "train", verify=False, cache="memory", seed=seed, **recipe.data_arguments())
        val = camvid(self.data, "val", verify=False)
        epochs = max(1, round(steps / len(train)))
        length = {"epochs": epochs, "warmup_epochs": epochs / 20}
        recipe = dataclasses.replace(recipe, **length, validate_every=max(1, epochs // num_validations))
        model = NETWORKS[network](NUM_CLASSES)
        options = {"run_dir": run_dir, "seed": seed, "callbacks": callbacks, "notes": {"network": network}}
        model = keras_hrnet.train(model, train, val, recipe=recipe, **options)
        return model, epochs * len(train)

    def exported(self, network, kind):
        """Exports the network of the first seed, at the size of the photos."""
        path = file_of(self.folder, (network,))
        photos = self.photos()
        report = keras_hrnet.export_tflite(
            self.best(network, kind), path, image_size=photos[0].shape[1:3], representative_data=photos[:2]
        )
        return {"megabytes": report.size_bytes / 1e6, "multiplications": multiplications(path)}

    def exported_in_int8(self, network, kind):
        """Exports the same network in int8, and scores the file."""
        photos = self.photos()
        model, path = self.best(network, kind), file_of(self.folder, (network, kind, "int8"))
        options = {"image_size": photos[0].shape[1:3], "precision": "int8", "representative_data": photos}
        try:
            report = keras_hrnet.export_tflite(model, path, **options)
        except (RuntimeError, ValueError) as error:
            return {"refused": str(error)}
        val = camvid(self.data, "val", verify=False)
        score = keras_hrnet.evaluate(ExportedNetwork(path), val, boundary_ratio=None)
        in_floats = len(report.float_layers)
        return {"megabytes": report.size_bytes / 1e6, "mean_iou": score.mean_iou, "layers_in_floats": in_floats}

    def photos(self):
        return calibration_photos(camvid(self.data, "train", augment=False, verify=False))

    def best(self, network, kind):
        model = NETWORKS[network](NUM_CLASSES)
        model.load_weights(self.run_dir(network, kind, 0) / "best.keras")
        return model


class StepClock(keras.callbacks.Callback):
    """Times each step from the end of the previous one, so that compilation is not counted."""

    def __init__(self):
        super().__init__()
        self.seconds, self.last = [], None

    def on_epoch_begin(self, epoch, logs=None):
        self.last = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self.last is not None:
            self.seconds.append(now - self.last)
        self.last = now


def multiplications(path):
    """Counts the multiplications in the convolutions and matrix products of a `.tflite` file."""
    return sum(_multiplications(operator) for operator in read_graph(path).operators)


def _multiplications(operator):
    (output, *_) = operator.outputs
    shapes = [tensor.shape for tensor in operator.inputs]
    match operator.name:
        case "CONV_2D" | "FULLY_CONNECTED":
            return math.prod(output.shape) * math.prod(shapes[1][1:])
        case "DEPTHWISE_CONV_2D":
            return math.prod(output.shape) * math.prod(shapes[1][1:3])
        case "TRANSPOSE_CONV":
            # The inputs are the output size, the kernel and the map. Each value of the map is multiplied by all of the
            # kernel's values for its channel.
            return math.prod(shapes[2]) * math.prod(shapes[1][:3])
        case "BATCH_MATMUL":
            return math.prod(output.shape) * shapes[0][-2 if operator.options.adjX else -1]
    return 0


def write_tables(comparison, kinds):
    """Writes the finished rows as Markdown and JSON; returns both."""
    rows, networks, seeds = comparison.rows, comparison.options.networks, range(comparison.options.seeds)
    results = {}
    for kind in kinds:
        of_kind = {n: [rows[key] for s in seeds if (key := f"{n}, {kind}, seed {s}") in rows] for n in networks}
        results[kind] = {
            n: {"runs": runs, "int8": rows.get(f"{n}, {kind}, int8 file"), **rows.get(f"{n}, file", {})}
            for n, runs in of_kind.items()
            if runs
        }
    results = {kind: found for kind, found in results.items() if found}
    text = "\n\n".join(table(kind, found) for kind, found in results.items()) + "\n"
    for name, content in (("results.md", text), ("results.json", json.dumps(results, indent=1) + "\n")):
        with replacing(comparison.folder / name) as part:
            part.write_text(content)
    return text, results


def table(kind, found):
    names = ["mIoU %", *(f"IoU % of {name}" for name in THIN_CLASSES), "boundary IoU %"]
    keys = ["mean_iou", *THIN_CLASSES, "mean_boundary_iou"]
    sizes = ["parameters, M", "multiplications, G"]
    times = ["steps", "learning rate", "s per step", "`.tflite`, ms"]
    # Only a comparison with --int8 has these columns.
    of_int8 = ["mIoU % in int8", "int8 `.tflite`, ms"] if any(result["int8"] for result in found.values()) else []
    header = ["network", *sizes, *names, *times, *of_int8]
    lines = [f"{kind} each:\n", f"| {' | '.join(header)} |", f"| --- |{' ---: |' * (len(header) - 1)}"]
    for network, result in found.items():
        runs = result["runs"]
        cells = [
            network,
            f"{runs[0]['parameters'] / 1e6:.1f}",
            f"{result['multiplications'] / 1e9:.1f}" if "multiplications" in result else "",
            *(spread([100 * run[key] for run in runs]) for key in keys),
            f"{runs[0]['steps']}",
            f"{runs[0]['learning_rate']:g}",
            f"{runs[0]['seconds_a_step']:.2f}",
            f"{result['milliseconds']:.0f}" if "milliseconds" in result else "",
            *(int8_cells(result["int8"] or {}) if of_int8 else ()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def int8_cells(row):
    if "refused" in row:
        return ["refused", ""]
    score = f"{100 * row['mean_iou']:.1f}" if "mean_iou" in row else ""
    return [score, f"{row['milliseconds']:.0f}" if "milliseconds" in row else ""]


def spread(values):
    """Returns the mean over the seeds, with the smallest and the largest value if there are several."""
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1f} to {max(values):.1f})"


def pareto_front(points):
    """Returns the points (cost, score) that score higher than all cheaper ones, cheapest first."""
    front = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


def plot(results, path):
    """Plots the score against the cost of each network: parameters, multiplications and latency.

    The line is the Pareto front: no other point is both cheaper and better than one on it.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    def latency(result):
        return result["milliseconds"]

    costs = {
        "parameters, M": lambda result: result["runs"][0]["parameters"] / 1e6,
        "multiplications, G": lambda result: result["multiplications"] / 1e9,
        "latency of the .tflite, ms (triangles: int8)": latency,
    }
    names = list(dict.fromkeys(network for found in results.values() for network in found))
    figure, panels = pyplot.subplots(
        len(results), len(costs), figsize=(15, 4 * len(results)), squeeze=False, layout="constrained"
    )
    for row, (kind, found) in zip(panels, results.items(), strict=True):
        for panel, (label, cost) in zip(row, costs.items(), strict=True):
            points = {network: (cost(result), score_of(result)) for network, result in found.items()}
            files = list(points.values())
            for network, point in points.items():
                number = names.index(network)
                panel.plot(*point, "o", markersize=11, color=f"C{number}", alpha=0.8)
                panel.annotate(number + 1, point, ha="center", va="center", color="white", fontsize=8)
                int8 = found[network]["int8"] or {}
                if cost is latency and "milliseconds" in int8:
                    in_int8 = int8["milliseconds"], 100 * int8["mean_iou"]
                    panel.plot(*zip(point, in_int8, strict=True), ":", color="gray", linewidth=1)
                    panel.plot(*in_int8, "k^", markersize=5)
                    files.append(in_int8)
            panel.plot(*zip(*pareto_front(files), strict=True), color="lightgray", zorder=0)
            panel.set(xlabel=label, ylabel="mIoU on the validation photos, %", xscale="log", title=f"{kind} each")
            panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            panel.xaxis.set_major_formatter("{x:g}")
            panel.xaxis.set_minor_formatter(ticker.NullFormatter())
    marks = [pyplot.Line2D([], [], marker="o", linestyle="", color=f"C{i}") for i in range(len(names))]
    figure.legend(marks, [f"{i + 1} {name}" for i, name in enumerate(names)], loc="outside right upper")
    with replacing(path) as part:
        figure.savefig(part, dpi=120, format="png")
    pyplot.close(figure)


def score_of(result):
    return 100 * statistics.mean(run["mean_iou"] for run in result["runs"])


if __name__ == "__main__":
    main()
