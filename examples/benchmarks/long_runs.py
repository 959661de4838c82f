"""Measures the memory of long runs: many training steps, many evaluations, many photos, and many sizes of photos.

Command:  KERAS_BACKEND=torch python examples/benchmarks/long_runs.py
          KERAS_BACKEND=jax python examples/benchmarks/long_runs.py --steps 2000 --evaluations 20 --photos 500
Hardware: any; half an hour on one CPU core.
Result:   a table of the memory of the process after a tenth, a half and all of each run, and exit status 1 if the
          second half of a run adds more than 50 MB; see examples/benchmarks/README.md.

The network is tiny, because the script looks for memory that a step, an evaluation or a photo does not release. The
first tenth includes memory that is kept on purpose: compiled programs, caches of limited size, and the reserves of the
allocator.
"""

import argparse
import gc
import os
import pathlib
import sys
import tempfile
import time

import keras
import numpy as np
from PIL import Image

import keras_hrnet
from keras_hrnet.data import folders
from keras_hrnet.models.network import Network

MOST_MEGABYTES = 50
SIZE = (32, 48)


def resident() -> float:
    """Returns the memory of this process in MB, after garbage collection."""
    gc.collect()
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tiny_network() -> keras.Model:
    """Returns a network of two convolutions."""
    image = keras.Input((None, None, 3))
    options = {"padding": "same", "data_format": "channels_last"}
    x = keras.layers.Conv2D(4, 3, activation="relu", **options)(keras.layers.Rescaling(1 / 255)(image))
    return Network(image, keras.layers.Conv2D(2, 3, name="last_layer_0", **options)(x), name="HRNetW18Small")


def draw_photos(folder: pathlib.Path, number: int, sizes: list[tuple[int, int]]) -> None:
    """Writes photos of noise and masks of two classes, with each of the sizes in turn."""
    generator = np.random.default_rng(0)
    for name in ("photos", "masks"):
        (folder / name).mkdir(parents=True)
    for i in range(number):
        pixels = generator.integers(0, 256, (*sizes[i % len(sizes)], 3), dtype="uint8")
        Image.fromarray(pixels).save(folder / "photos" / f"{i:05}.png", compress_level=1)
        Image.fromarray(pixels[..., 0] // 128).save(folder / "masks" / f"{i:05}.png", compress_level=1)


class Memory(keras.callbacks.Callback):
    """Records the memory after a tenth, half and all of the steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps, self.count, self.found = {steps // 10, steps // 2, steps}, 0, []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.count += 1
        if self.count in self.steps:
            self.found.append(resident())


def train(folder: pathlib.Path, steps: int) -> list[float]:
    """Trains for many steps by `keras_hrnet.train`, with its saves and validations."""
    draw_photos(folder, 40, [SIZE])
    own = {"images": folder / "photos", "labels": folder / "masks", "classes": ("dark", "bright"), "val_share": 0.2}
    batches = folders(**own, split="train", batch_size=2, crop_size=SIZE)
    memory = Memory(steps)
    keras_hrnet.train(
        tiny_network(),
        batches,
        folders(**own, split="val"),
        recipe="from_scratch",
        epochs=steps // len(batches),
        warmup_epochs=1,
        batch_size=2,
        crop_size=SIZE,
        repeats=1,
        validate_every=max(1, steps // len(batches) // 20),
        run_dir=folder / "run",
        callbacks=[memory],
    )
    return memory.found


def repeat(number: int, call: object) -> list[float]:
    """Calls a function with the numbers from 1, and returns the memory after a tenth, half and all of the calls."""
    found = []
    for i in range(1, number + 1):
        call(i)
        if i in (number // 10, number // 2, number):
            found.append(resident())
    return found


def evaluate(folder: pathlib.Path, number: int) -> list[float]:
    """Evaluates one network many times."""
    draw_photos(folder, 10, [SIZE])
    data = folders(folder / "photos", folder / "masks", ("dark", "bright"), augment=False)
    network = tiny_network()
    return repeat(number, lambda i: keras_hrnet.evaluate(network, data))


def predict(folder: pathlib.Path, number: int) -> list[float]:
    """Segments many photos of one size, a tenth of them in each call."""
    draw_photos(folder, number, [SIZE])
    photos, network = sorted((folder / "photos").iterdir()), tiny_network()
    step = max(1, number // 10)
    return repeat(10, lambda i: [x.shape for x in keras_hrnet.predict(network, photos[(i - 1) * step : i * step])])


def predict_sizes(folder: pathlib.Path, number: int) -> list[float]:
    """Segments photos that all have different sizes."""
    sizes = [(32 + i % 20, 32 + i // 20) for i in range(number)]
    draw_photos(folder, number, sizes)
    photos, network = sorted((folder / "photos").iterdir()), tiny_network()
    step = max(1, number // 10)
    return repeat(10, lambda i: keras_hrnet.predict(network, photos[(i - 1) * step : i * step]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the memory of long runs.")
    parser.add_argument("--steps", type=int, default=20_000, help="number of training steps")
    parser.add_argument("--evaluations", type=int, default=200, help="number of evaluations")
    parser.add_argument("--photos", type=int, default=5000, help="number of photos of one size")
    parser.add_argument("--sizes", type=int, default=200, help="number of photos of different sizes")
    given = parser.parse_args()
    runs = (
        ("training steps", train, given.steps),
        ("evaluations", evaluate, given.evaluations),
        ("photos", predict, given.photos),
        ("sizes of photos", predict_sizes, given.sizes),
    )
    grown = []
    print("| backend | run | MB after a tenth | half | all | s |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for name, run, number in runs:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            found = run(pathlib.Path(folder), number)
        cells = " | ".join(f"{value:.0f}" for value in found)
        seconds = time.perf_counter() - start
        print(f"| {keras.backend.backend()} | {number} {name} | {cells} | {seconds:.0f} |", flush=True)
        if found[2] - found[1] > MOST_MEGABYTES:
            grown.append(name)
    sys.exit(f"The second half added more than {MOST_MEGABYTES} MB to these runs: {', '.join(grown)}." if grown else 0)


if __name__ == "__main__":
    main()
