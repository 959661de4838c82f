"""Exports a trained network to a `.tflite` file that computes the label of each pixel, and runs the file.

Command:  python examples/export_tflite.py hrnet-demo/w18_small.keras w18_small.tflite --size 256 512
Hardware: any CPU.
Result:   the file, its agreement with Keras and its latency. The network of the demo, with logits as its output,
          took 0.04 to 0.06 s on two CPU cores.
"""

import argparse

import keras
import numpy as np

import keras_hrnet


def main():
    parser = argparse.ArgumentParser(description="Exports a network to TFLite.")
    parser.add_argument("model", help="a network that Keras saved, `.keras`")
    parser.add_argument("tflite", help="the `.tflite` file to write")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"), help="size of the images"
    )
    parser.add_argument("--output", default="labels", help="labels, logits, logits_stride4 or probabilities")
    options = parser.parse_args()

    model = keras.models.load_model(options.model, compile=False)
    report = keras_hrnet.export_tflite(
        model, options.tflite, image_size=tuple(options.size), output=options.output, input_dtype="uint8"
    )
    print(report)

    photo = np.random.default_rng(0).integers(0, 256, (1, *options.size, 3), dtype="uint8")
    answer = keras_hrnet.run_tflite(options.tflite, photo)
    print(f"A photo of {photo.shape} gives {options.output} of {answer.shape}, {answer.dtype}.")


if __name__ == "__main__":
    main()
