"""Measures how long it takes to build HRNetW48, as it is and if Keras traces each layer to build it.

Command:  KERAS_BACKEND=tensorflow python examples/benchmarks/building.py
Hardware: any CPU; compare ratios instead of seconds.
Result:   see examples/benchmarks/README.md.
"""

import argparse
import contextlib
import statistics
import time

import keras

import keras_hrnet
from keras_hrnet import layers

LAYERS = [value for value in vars(layers).values() if isinstance(value, type)]


@contextlib.contextmanager
def tracing():
    """Makes layers behave as if they defined neither `build` nor `compute_output_shape`.

    Keras then runs `call` on symbolic tensors: once to build the sublayers, and once to infer the output shape.
    """
    written = {layer: layer.build for layer in LAYERS}
    for layer in LAYERS:
        layer.build = traced(layer.build)
        layer.compute_output_spec = keras.Operation.compute_output_spec
    try:
        yield
    finally:
        for layer, build in written.items():
            layer.build = build
            del layer.compute_output_spec


def traced(build):
    def build_by_tracing(self, input_shape):
        build(self, input_shape)
        if isinstance(input_shape, list):
            inputs = [keras.KerasTensor(shape, self.compute_dtype) for shape in input_shape]
        else:
            inputs = keras.KerasTensor(input_shape, self.compute_dtype)
        keras.Operation.compute_output_spec(self, inputs)

    return build_by_tracing


def seconds_to_build(network):
    keras.backend.clear_session()
    start = time.perf_counter()
    getattr(keras_hrnet, network)()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description="Times the building of a network.")
    parser.add_argument("--network", default="HRNetW48", help="network to build")
    parser.add_argument("--runs", type=int, default=5, help="number of pairs of builds")
    options = parser.parse_args()
    seconds_to_build("HRNetW18Small")  # The first build also initializes the backend.
    plain, traced = [], []
    for _ in range(options.runs):
        plain.append(seconds_to_build(options.network))
        with tracing():
            traced.append(seconds_to_build(options.network))
    ratio = statistics.median(a / b for a, b in zip(plain, traced, strict=True))
    print(
        f"{keras.config.backend()}: {options.network} {statistics.median(plain):.2f} s, "
        f"traced {statistics.median(traced):.2f} s, median ratio {ratio:.3f} of {options.runs} pairs"
    )


if __name__ == "__main__":
    main()
