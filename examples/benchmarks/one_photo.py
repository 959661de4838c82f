"""Times three ways to predict one photo: `predict_on_batch`, `keras_hrnet.predict` and `model.predict`.

Command:  KERAS_BACKEND=torch python examples/benchmarks/one_photo.py --network HRNetW18Small --size 256 512
Hardware: any; ten seconds, and on JAX the time to compile.
Result:   processor seconds of each way, as medians of alternating runs and as multiples of the first way; see
          examples/evaluation.md.
"""

import argparse
import statistics
import time

import keras
import numpy as np

import keras_hrnet
from keras_hrnet.families import VARIANTS


def main() -> None:
    parser = argparse.ArgumentParser(description="Times three ways to predict one photo.")
    parser.add_argument("--network", choices=sorted(VARIANTS), default="HRNetW18Small")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 512), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=9, help="number of runs of each way")
    given = parser.parse_args()

    model = getattr(keras_hrnet, given.network)(num_classes=19)
    photo = np.random.default_rng(0).integers(0, 256, (*given.size, 3), dtype="uint8")
    ways = {
        "model.predict_on_batch(photo[None])": lambda: model.predict_on_batch(photo[None]),
        "keras_hrnet.predict(model, photo)": lambda: keras_hrnet.predict(model, photo),
        "model.predict(photo[None], verbose=0)": lambda: model.predict(photo[None], verbose=0),
    }
    seconds = {name: [] for name in ways}
    for i in range(given.runs + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if i:  # The first run compiles.
                seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first = next(iter(medians.values()))
    print("| backend | | processor seconds | ratio |\n| --- | --- | ---: | ---: |")
    for name, value in medians.items():
        print(f"| {keras.backend.backend()} | `{name}` | {value:.3f} | {value / first:.2f} |")


if __name__ == "__main__":
    main()
