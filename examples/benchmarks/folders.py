"""Compares the segmentation of a folder of photos with the optimized network alone, and measures memory.

Command:  python examples/benchmarks/folders.py --network HRNetW18SmallV2 --size 512 1024 --photos 100 --cores 1 2
          python examples/benchmarks/folders.py --network HRNetW18Small --size 96 128 --photos 10 100 1000 10000
              --backends tensorflow --plot folders.png
Hardware: a CPU with Linux; the network alone and the folder alternate in one process, so that other load affects both.
Result:   see examples/evaluation.md.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

NUM_DRAWN = 8
NUM_ROUNDS = 3


def main():
    parser = argparse.ArgumentParser(description="Compares the segmentation of a folder with its network alone.")
    parser.add_argument("--network", default="HRNetW18SmallV2")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--photos", type=int, nargs="+", default=(100,), help="numbers of photos, at least 3")
    parser.add_argument("--show", default="overlay", help="kind of picture to write for each photo")
    parser.add_argument("--cores", type=int, nargs="+", default=(1, 2), help="numbers of cores")
    parser.add_argument("--backends", nargs="+", default=("tensorflow", "torch", "jax"))
    parser.add_argument("--plot", type=pathlib.Path, help="picture file to write")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        folder, count = options.only
        print(json.dumps(measure(options, pathlib.Path(folder), int(count))))
        return
    size = "x".join(map(str, options.size))
    print(f"{options.network}, {options.show} of photos of {size}\n")
    print("| backend | cores | photos | photos per second | folder / network: seconds | CPU seconds | memory in MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        draw(pathlib.Path(folder), options)
        for backend, cores, count in itertools.product(options.backends, options.cores, options.photos):
            result = in_process(folder, backend, cores, count)
            measured.setdefault((backend, cores), []).append(result)
            memory = ", ".join(f"{each:.0f}" for each in result["memory"])
            print(
                f"| {backend} | {cores} | {count} | {result['per_second']:.2f} | {result['ratio']:.2f} | "
                f"{result['cpu_ratio']:.2f} | {memory} |",
                flush=True,
            )
    if options.plot:
        plot(measured, options)


def draw(folder, options):
    """Draws streets, and fills a folder of photos with hard links to them."""
    from keras_hrnet.data import synthesize

    root = synthesize(folder / "streets", num_train=0, num_val=NUM_DRAWN, num_test=0, size=tuple(options.size)).root
    streets = sorted(root.rglob("*_leftImg8bit.png"))
    (folder / "photos").mkdir()
    for i in range(max(options.photos)):
        os.link(streets[i % len(streets)], folder / "photos" / f"{i:06}.png")


def in_process(folder, backend, cores, count):
    """Measures a number of photos on a number of cores, in a separate process."""
    processors = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(cores)}
    command = ["taskset", "-c", processors, sys.executable, __file__, *sys.argv[1:], "--only", folder, str(count)]
    finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(finished.stdout.splitlines()[-1])


def measure(options, folder, count):
    import numpy as np

    import keras_hrnet
    from keras_hrnet.cli.segmenting import write_result
    from keras_hrnet.evaluation.photos import find_photos, read_image
    from keras_hrnet.evaluation.prediction import predictions
    from keras_hrnet.evaluation.segmenter import Segmenter

    network = keras_hrnet.optimize_for_inference(getattr(keras_hrnet, options.network)(num_classes=19))
    segmenter = Segmenter(network)
    photos = find_photos(folder / "photos")[:count]
    image = read_image(photos[0])[np.newaxis]

    def alone(count):
        for _ in range(count):
            segmenter.labels(image)

    def through(some):
        def write(photo, result):
            write_result(folder / "written" / f"{photo.stem}.png", result)

        for _ in predictions(segmenter, some, output=options.show.replace("-", "_"), write=write):
            pass

    through(photos[:2])
    memory, ratios, cpu_ratios, seconds = [resident()], [], [], []
    share = len(photos) // NUM_ROUNDS
    for i in range(NUM_ROUNDS):
        network_alone = timed(lambda: alone(share))
        whole = timed(lambda some=photos[i * share : (i + 1) * share]: through(some))
        ratios.append(whole[0] / network_alone[0])
        cpu_ratios.append(whole[1] / network_alone[1])
        seconds.append(whole[0] / share)
        memory.append(resident())
    values = {"ratio": np.median(ratios), "cpu_ratio": np.median(cpu_ratios), "per_second": 1 / np.median(seconds)}
    return {**{name: float(value) for name, value in values.items()}, "memory": memory}


def plot(measured, options):
    """Plots photos per second, and the memory after the last photo, against the number of photos."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for (backend, cores), results in measured.items():
        name = f"{backend}, {cores} core{'s' if cores > 1 else ''}"
        panels[0].plot(options.photos, [result["per_second"] for result in results], marker="o", label=name)
        panels[1].plot(options.photos, [result["memory"][-1] for result in results], marker="o", label=name)
    for panel, title in zip(panels, ("photos per second", "memory at the end, MiB"), strict=True):
        panel.set(xscale="log", xlabel="photos in the folder", title=title)
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
    panels[0].legend()
    size = "x".join(map(str, options.size))
    figure.suptitle(f"{options.network}, {options.show} of photos of {size}")
    figure.savefig(options.plot, dpi=120)
    print(f"\nThe picture is in {options.plot}.")


def timed(function):
    start, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - cpu


def resident():
    """Returns the memory that the process holds, in MiB."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
