"""Measures the memory and time of a large image, whole and in tiles, and the differences near the seams of tiles.

Command:  python examples/benchmarks/tiles.py --network HRNetW18Small --size 4096 8192 --tile 1024 2048 --backend torch
Hardware: a CPU with Linux; HRNetW18Small takes up to 23 GiB for a whole image of 4096x8192.
Result:   see examples/evaluation.md.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time


def main():
    parser = argparse.ArgumentParser(description="Compares whole images with tiles.")
    parser.add_argument("--network", default="HRNetW18Small")
    parser.add_argument("--size", type=int, nargs=2, default=(4096, 8192), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--tile", type=int, nargs=2, default=(1024, 2048), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"), default="torch")
    parser.add_argument("--only", choices=("whole", "tiles", "seams"), help="measure only this, in this process")
    options = parser.parse_args()
    if options.only:
        measured = seams(options) if options.only == "seams" else inference(options, options.only)
        print(json.dumps(measured))
        return
    size, tile = ("x".join(map(str, pair)) for pair in (options.size, options.tile))
    print(f"{options.network}, {options.backend}, labels of {size}\n")
    print("| | peak memory in addition to the network's, GiB | seconds |\n| --- | ---: | ---: |")
    for name, what in (("tiles", f"tiles of {tile}"), ("whole", "the whole image")):
        result = in_process(name, options.backend)
        cells = f"{result['gibibytes']:.2f} | {result['seconds']:.0f}" if result else "not enough memory | "
        print(f"| {what} | {cells} |", flush=True)
    print("\n| pixels from the seam | largest difference of a probability |\n| --- | ---: |")
    for distance, difference in in_process("seams", options.backend):
        print(f"| {distance} | {difference:.1e} |")


def in_process(name, backend):
    """Measures in a separate process, because the peak of memory never falls; returns None if the process fails."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    return json.loads(finished.stdout.splitlines()[-1]) if finished.returncode == 0 else None


def inference(options, name):
    import numpy as np

    import keras_hrnet

    model = getattr(keras_hrnet, options.network)(data_format="channels_last")
    image = np.random.default_rng(0).integers(0, 256, (*options.size, 3), "uint8")
    keras_hrnet.predict(model, image[:64, :64])
    before, start = memory("VmRSS"), time.perf_counter()
    keras_hrnet.predict(model, image, tile=tuple(options.tile) if name == "tiles" else None)
    return {"gibibytes": memory("VmHWM") - before, "seconds": time.perf_counter() - start}


def seams(options):
    """Compares two tiles that do not overlap with the whole image, by the distance of pixels from the seam."""
    import keras
    import numpy as np

    import keras_hrnet
    from keras_hrnet.streets import paint_street

    keras.utils.set_random_seed(0)
    model = getattr(keras_hrnet, options.network)(data_format="channels_last")
    image = paint_street((512, 1024), "seams", 0).photograph().image
    image = np.concatenate([image, image[:, ::-1]], axis=1)
    whole = keras_hrnet.predict(model, image, output="probabilities")
    tiles = keras_hrnet.predict(model, image, output="probabilities", tile=(512, 1024), overlap=0)
    difference = abs(whole - tiles).max(axis=(0, 2))
    distances = (0, 16, 32, 64, 128, 256, 384, 512, 768, 1023)
    return [(distance, float(max(difference[1023 - distance], difference[1024 + distance]))) for distance in distances]


def memory(field):
    """Returns the memory of this process in GiB: VmRSS for the current memory, or VmHWM for the peak."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 2**20


if __name__ == "__main__":
    main()
