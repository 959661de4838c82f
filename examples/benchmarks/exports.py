"""Measures the cost of each network, head and precision as a `.tflite` file, and its difference from Keras.

Command:  python examples/benchmarks/exports.py exports --size 128 256
          python examples/benchmarks/exports.py exports --size 128 256 --networks HRNetW18Small --heads fcn
Hardware: a CPU with two cores and 12 GB. Everything takes some hours, int16x8 the longest; the second line takes
          minutes.
Result:   see examples/export.md. The folder keeps networks, files and rows, and existing ones are not made again, so
          that the table can be made in several runs. Latencies are measured last, in alternation, when all files exist.

The networks are first trained on synthetic streets for some minutes. With random weights, integers would lose more
accuracy, and all labels would be the same class. Streets are drawn with twice the height and width of the images that
the files take, which are cropped from them; training uses crops of half the height and width of those images.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

NETWORKS = ("HRNetW18Small", "HRNetW18SmallV2", "HRNetW18", "HRNetW48")
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8", "mixed")
OCR_CHANNELS = {"HRNetW18Small": (128, 64), "HRNetW18SmallV2": (256, 128), "HRNetW18": (256, 128)}
COLUMNS = (
    "MB",
    "s to convert",
    "s to make",
    "GB to make",
    "mean difference",
    "labels as Keras",
    "mIoU, Keras's",
    "XNNPACK",
)
NUM_STREETS, NUM_STEPS, BATCH_SIZE = 64, 400, 4


def main():
    parser = argparse.ArgumentParser(description="Exports networks to TFLite, and measures the files.")
    parser.add_argument("folder", type=pathlib.Path, help="folder for networks, files and rows")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--heads", nargs="+", default=["fcn", "ocr"])
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument(
        "--rounds", type=int, default=9, help="number of runs of each file for its median latency; 0 for none"
    )
    parser.add_argument(
        "--only", help="do only this step, in this process: network,head to train or network,head,precision to export"
    )
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    if options.only:
        network, head, *precision = options.only.split(",")
        step = export if precision else train
        print(json.dumps(step(options.folder, network, head, *precision, size=tuple(options.size))), flush=True)
        return
    keys = [(n, h, p) for n in options.networks for h in options.heads for p in options.precisions]
    table = rows(options.folder, keys)
    times = latencies(options.folder, [key for key in keys if len(table[",".join(key)]) > 1], options.rounds)
    print(f"| network | head | precision | {' | '.join(COLUMNS)} | ms |")
    print(f"| --- | --- | --- |{' ---: |' * (len(COLUMNS) + 1)}")
    for key in keys:
        latency = f"{times[key]:.0f}" if key in times else ""
        print(f"| {' | '.join([*key, *table[','.join(key)], latency])} |")


def rows(folder, keys):
    """Makes the missing rows, each in its own process, so that its peak of memory does not include another's."""
    path = folder / "rows.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    for network, head, precision in keys:
        key = ",".join((network, head, precision))
        if len(table.get(key, ())) < len(COLUMNS):  # The row is missing, or contains only the last line of an error.
            if not (folder / f"{network}-{head}.keras").exists():
                print(in_process(f"{network},{head}"), file=sys.stderr, flush=True)
            table[key] = in_process(key)
            path.write_text(json.dumps(table, indent=2) + "\n")
    return table


def in_process(key):
    command = [sys.executable, __file__, *sys.argv[1:], "--only", key]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        return [finished.stderr.strip().splitlines()[-1][:120]]
    return json.loads(finished.stdout.splitlines()[-1])


def train(folder, network, head, size):
    import keras
    import numpy as np

    import keras_hrnet

    keras.utils.set_random_seed(0)
    options = {"ocr_channels": OCR_CHANNELS[network]} if head == "ocr" and network in OCR_CHANNELS else {}
    model = getattr(keras_hrnet, network)(head=head, **options)
    rate = keras.optimizers.schedules.CosineDecay(1e-5, NUM_STEPS, warmup_target=2e-3, warmup_steps=NUM_STEPS // 10)
    model.compile(keras.optimizers.AdamW(rate, global_clipnorm=1.0), keras_hrnet.training.CrossEntropy())
    images, labels = streets(size, "train", NUM_STREETS)
    generator = np.random.default_rng(0)
    crop = [length // 2 for length in size]
    losses = []
    for _ in range(NUM_STEPS):
        batch = [crop_at(generator, images, labels, crop) for _ in range(BATCH_SIZE)]
        losses.append(float(model.train_on_batch(*map(np.stack, zip(*batch, strict=True)))))
    model.save(folder / f"{network}-{head}.keras")
    return {"network": network, "head": head, "loss of the last 20 steps": sum(losses[-20:]) / 20}


def crop_at(generator, images, labels, crop):
    """Returns a random crop, which is mirrored with a probability of one half."""
    which = generator.integers(len(images))
    y, x = (generator.integers(0, have - want + 1) for have, want in zip(labels.shape[1:], crop, strict=True))
    place = (which, slice(y, y + crop[0]), slice(x, x + crop[1]))
    step = generator.choice([-1, 1])
    return images[place][:, ::step], labels[place][:, ::step]


def streets(size, name, number):
    import numpy as np

    from keras_hrnet.data.label_coding import coding_of_data_set
    from keras_hrnet.data_sets.cityscapes import CITYSCAPES
    from keras_hrnet.streets import draw_street

    pictures = [draw_street([2 * length for length in size], f"exports/{name}/{i}", i) for i in range(number)]
    train_ids = np.asarray(coding_of_data_set(CITYSCAPES).train_id_of_value, np.uint8)
    return np.stack([x.image for x in pictures]), train_ids[np.stack([x.label_ids for x in pictures])]


def export(folder, network, head, precision, size):
    import keras

    import keras_hrnet

    model = keras.models.load_model(folder / f"{network}-{head}.keras", compile=False)
    middle = tuple(slice(length // 2, length // 2 + length) for length in size)
    images, labels = (maps[:, *middle] for maps in streets(size, "val", 8))
    start = time.perf_counter()
    report = keras_hrnet.export_tflite(
        model,
        file_of(folder, (network, head, precision)),
        image_size=size,
        precision=precision,
        representative_data=[(images, labels)],
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    coverage = report.delegates["xnnpack"]
    in_floats = f", {len(report.float_layers)} of the layers in floats" if report.float_layers else ""
    return [
        f"{report.size_bytes / 1e6:.1f}{in_floats}",
        f"{conversion_seconds(model, size):.0f}" if precision == "float32" else "",
        f"{seconds:.0f}",
        f"{peak / 1e9:.1f}",
        f"{report.mean_difference:.1e}",
        f"{100 * report.label_agreement:.2f} %",
        f"{100 * report.miou:.2f}, {100 * report.keras_miou:.2f} %",
        f"{100 * coverage.share:.0f} % in {coverage.partitions}",
    ]


def settle(model, images):
    """Sets the statistics of all normalizations of a network with random weights to those of images.

    Otherwise, its maps would grow from block to block, in Lite-HRNet beyond the ratios of scales that XNNPACK supports.
    """
    import keras

    from keras_hrnet.layers.sublayers import sublayers

    norms = [layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def conversion_seconds(model, size):
    """Returns the time of the converter alone, without folding, running Keras and the file, and comparing them."""
    import keras_hrnet
    from keras_hrnet.export.conversion import TFLiteOptions, convert

    network = keras_hrnet.optimize_for_inference(model)
    start = time.perf_counter()
    convert(network, TFLiteOptions(size))
    return time.perf_counter() - start


def file_of(folder, key):
    return folder / f"{'-'.join(key)}.tflite"


def latencies(folder, keys, rounds):
    """Measures files in alternation, so that other load slows all of them in the same way, for about a minute each.

    Returns:
        The median milliseconds of each file, by key.
    """
    from keras_hrnet.export.litert import TFLiteModel

    seconds = {key: [] for key in keys}
    for _ in range(rounds):
        for key in keys:
            if sum(seconds[key]) < 60:
                model = TFLiteModel(file_of(folder, key))
                model.interpreter.invoke()  # The first run is slower.
                start = time.perf_counter()
                model.interpreter.invoke()
                seconds[key].append(time.perf_counter() - start)
    return {key: 1000 * sorted(values)[len(values) // 2] for key, values in seconds.items() if values}


if __name__ == "__main__":
    main()
