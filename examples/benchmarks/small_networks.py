"""Compares the small networks as `.tflite` files: their cost, and their time in float32 and in int8.

Command:  python examples/benchmarks/small_networks.py files
          python examples/benchmarks/small_networks.py files --size 256 512 --rounds 5
Hardware: a CPU with two cores and 8 GB; 20 minutes.
Result:   a table; see examples/heads.md. The folder keeps the files, and existing files are not made again.

Weights are random, because they affect neither the size of a file nor its time. The accuracy of integers is therefore
not verified here, and no layer is kept in floating point; examples/export.md shows how much accuracy trained networks
lose. Files run in alternation, so that other load slows all of them in the same way, and medians are shown.
"""

import argparse
import pathlib

import keras
import numpy as np
from exports import file_of, latencies, settle

import keras_hrnet
from keras_hrnet.export import quantization
from keras_hrnet.export.conversion import TFLiteOptions, convert
from keras_hrnet.export.delegates import delegate_coverage
from keras_hrnet.families import VARIANTS
from keras_hrnet.models import cost

# Head and best published score of each network. The scores in mIoU are for the validation images of Cityscapes.
NETWORKS = {
    "HRNetW18Small": ("fcn", "70.3 mIoU"),
    "HRNetW18SmallV2": ("fcn", "76.2 mIoU"),
    "LiteHRNet18": ("iterative", "70.75 mIoU, PaddleSeg's training"),
    "LiteHRNet30": ("iterative", "67.2 AP of COCO's key points; 18 has 64.8"),
    "LiteHRNetNaive18": ("iterative", "62.8 AP of COCO's key points"),
    "HRFormerTiny": ("fcn", "78.6 % top-1 of ImageNet"),
}
PRECISIONS = ("float32", "int8")
COLUMNS = (
    "parameters, M",
    "multiplications, G",
    "published score",
    "MB, float32 and int8",
    "float32, ms",
    "int8, ms",
    "parts in XNNPACK",
    "share of operators in XNNPACK",
)


def main():
    parser = argparse.ArgumentParser(description="Compares the small networks as files.")
    parser.add_argument("folder", type=pathlib.Path, help="folder for the files")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS, metavar="NETWORK")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--rounds", type=int, default=9, help="number of runs of each file for its median latency")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    for network in options.networks:
        make_files(options.folder, network, tuple(options.size))
    keys = [(network, precision) for network in options.networks for precision in PRECISIONS]
    print(table(options, latencies(options.folder, keys, options.rounds)))


def make_files(folder, network, size):
    """Writes a network in float32 and in int8, unless both files exist."""
    if all(file_of(folder, (network, precision)).exists() for precision in PRECISIONS):
        return
    head, _ = NETWORKS[network]
    model = getattr(keras_hrnet, network)(head=head)
    noise = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    settle(model, noise[:, :128, :128])
    content = convert(keras_hrnet.optimize_for_inference(model), TFLiteOptions(size))
    ranges = quantization.calibrate(content, noise, 1)
    file_of(folder, (network, "float32")).write_bytes(content)
    file_of(folder, (network, "int8")).write_bytes(quantization.quantize(content, "int8", ranges))
    keras.utils.clear_session()


def table(options, milliseconds):
    lines = [f"| network | {' | '.join(COLUMNS)} |", f"| --- |{' ---: |' * len(COLUMNS)}"]
    for network in options.networks:
        head, score = NETWORKS[network]
        counted = cost(VARIANTS[network], head=head, image_size=tuple(options.size))
        files = [file_of(options.folder, (network, precision)) for precision in PRECISIONS]
        coverages = [delegate_coverage(file)["xnnpack"] for file in files]
        cells = [
            network,
            f"{counted.parameters / 1e6:.2f}",
            f"{counted.multiplications / 1e9:.2f}",
            score,
            ", ".join(f"{file.stat().st_size / 1e6:.1f}" for file in files),
            *(f"{milliseconds[network, precision]:.0f}" for precision in PRECISIONS),
            ", ".join(str(coverage.partitions) for coverage in coverages),
            ", ".join(f"{100 * coverage.share:.0f} %" for coverage in coverages),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
