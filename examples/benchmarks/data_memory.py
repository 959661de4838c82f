"""Measures whether the memory of a training pipeline stays constant over many batches.

Command:  python examples/benchmarks/data_memory.py
Hardware: any CPU with Linux.
Result:   resident memory every thousand batches; see examples/data.md.
"""

import argparse
import os
import pathlib
import tempfile

from keras_hrnet.data import cityscapes, synthesize


def resident_mebibytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main():
    parser = argparse.ArgumentParser(description="Measures the memory of a pipeline over time.")
    parser.add_argument("--batches", type=int, default=10_000, help="number of batches")
    parser.add_argument("--cache", help="cache of decoded images: 'memory' or a folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        synthesize(folder, num_train=8, num_val=0, num_test=0, size=(64, 128))
        dataset = cityscapes(folder, "train", batch_size=4, crop_size=(32, 64), cache=options.cache)
        for number, _ in enumerate(dataset.repeat().take(options.batches)):
            if number % 1000 == 999:
                print(f"{number + 1} batches: {resident_mebibytes():.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
