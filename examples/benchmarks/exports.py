"""What each network, head and precision costs as a `.tflite` file, and how far it is from Keras.

Command:  python examples/benchmarks/exports.py --networks HRNetW18Small HRNetW18SmallV2 --heads fcn --out exports.json
Hardware: a CPU; HRNetW48 with OCR needs up to 12 GB and some minutes for each precision.
Result:   see examples/export.md. What stands in the file of --out is not made again: the table can be made in parts.

Weights are random: differences of integers from Keras are larger than those of trained networks.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8", "mixed")
OCR_CHANNELS = {"HRNetW18Small": (128, 64), "HRNetW18SmallV2": (256, 128), "HRNetW18": (256, 128)}


def main():
    parser = argparse.ArgumentParser(description="Exports networks to TFLite, and measures the files.")
    parser.add_argument("--networks", nargs="+", default=["HRNetW18Small", "HRNetW18SmallV2", "HRNetW18", "HRNetW48"])
    parser.add_argument("--heads", nargs="+", default=["fcn", "ocr"])
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--out", default="exports.json", type=pathlib.Path)
    parser.add_argument("--only", help="make this row alone, in this process: network,head,precision")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(row(*options.only.split(","), tuple(options.size))))
        return
    rows = json.loads(options.out.read_text()) if options.out.exists() else {}
    for network in options.networks:
        for head in options.heads:
            for precision in options.precisions:
                key = ",".join((network, head, precision))
                if key not in rows:
                    rows[key] = in_process(key)
                    options.out.write_text(json.dumps(rows, indent=2) + "\n")
    columns = ("MB", "seconds to make", "mean difference", "labels as Keras", "ms", "XNNPACK", "layers in floats")
    print(f"| network | head | precision | {' | '.join(columns)} |")
    print(f"| --- | --- | --- |{' ---: |' * len(columns)}")
    for key, cells in rows.items():
        print(f"| {' | '.join(key.split(','))} | {' | '.join(cells)} |")


def in_process(key):
    """Makes a row in a process of its own, so that none sees another's memory."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", key]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        return [finished.stderr.strip().splitlines()[-1][:120], *[""] * 6]
    return json.loads(finished.stdout.splitlines()[-1])


def row(network, head, precision, size):
    import keras
    import numpy as np

    import keras_hrnet
    from keras_hrnet.data.scene import paint_street

    keras.utils.set_random_seed(0)
    streets = np.stack([paint_street(size, f"exports/{i}", i).photograph().image for i in range(8)])
    options = {"ocr_channels": OCR_CHANNELS[network]} if head == "ocr" and network in OCR_CHANNELS else {}
    model = getattr(keras_hrnet, network)(head=head, **options)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        report = keras_hrnet.export_tflite(
            model,
            pathlib.Path(folder, "network.tflite"),
            image_size=size,
            precision=precision,
            representative_data=streets,
        )
        seconds = time.perf_counter() - start
    coverage = report.delegates["xnnpack"]
    return [
        f"{report.size_bytes / 1e6:.1f}",
        f"{seconds:.0f}",
        f"{report.mean_difference:.1e}",
        f"{100 * report.label_agreement:.2f} %",
        f"{1000 * report.latency_seconds:.0f}",
        f"{100 * coverage.share:.0f} % in {coverage.partitions}",
        str(len(report.float_layers)),
    ]


if __name__ == "__main__":
    main()
