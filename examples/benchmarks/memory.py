"""Measures the memory and time of a training step, with and without recomputing modules in the backward pass.

With `--logits`, it measures the memory of losses and labels in addition to the full-size logits of which they are made.

Command:  python examples/benchmarks/memory.py --network HRNetW48 --size 512 1024 --batch 1 --backend torch
          python examples/benchmarks/memory.py --logits --size 512 1024 --batch 4 --backend torch
Hardware: a CPU with Linux, or a GPU; without `remat`, HRNetW48 at this size takes about 8 GiB.
Result:   see examples/training.md, and for `--logits` examples/benchmarks/README.md.
"""

import argparse
import gc
import json
import math
import os
import pathlib
import subprocess
import sys
import time

NUM_CLASSES = 19
PARTS = ("CrossEntropy", "OhemCrossEntropy", "SparseCategoricalCrossentropy", "argmax", "keras.ops.argmax")


def main():
    parser = argparse.ArgumentParser(description="Measures the memory and the time of a training step.")
    parser.add_argument("--network", default="HRNetW48")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"), default="torch")
    parser.add_argument("--policy", default="float32", help="a dtype policy, such as mixed_float16")
    parser.add_argument("--steps", type=int, default=3, help="number of steps")
    parser.add_argument("--compile", action="store_true", help="compile steps by XLA on TensorFlow")
    parser.add_argument("--seconds", type=int, help="time limit for each setting, in seconds")
    parser.add_argument("--remat", choices=("yes", "no"), help="measure only this setting, in this process")
    parser.add_argument("--logits", action="store_true", help="measure losses and labels of logits, without a network")
    parser.add_argument("--part", choices=PARTS, help="measure only this loss or label, in this process")
    options = parser.parse_args()
    if options.part:
        print(json.dumps(measure_part(options)))
        return
    if options.logits:
        show_parts(options)
        return
    if options.remat:
        print(json.dumps(measure(options)))
        return
    print(f"{options.network}, {options.backend}, {options.policy}, batch {options.batch} of {options.size}")
    print("| remat | memory of a step, MiB | first step, s | step, s |\n| --- | ---: | ---: | ---: |", flush=True)
    for remat in ("no", "yes"):
        print(f"| {remat} | {measure_in_process(remat, options.backend, options.seconds)} |", flush=True)


def measure_in_process(remat, backend, seconds):
    try:
        result = in_process(backend, seconds, "--remat", remat)
    except subprocess.TimeoutExpired:
        return f"not finished after {seconds} s | | "
    return f"{result['mebibytes']:.0f} | {result['first']:.1f} | {result['later']:.1f}"


def in_process(backend, seconds, *arguments):
    """Measures a setting in a separate process, because freed memory is not always returned to the system."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, *sys.argv[1:], *arguments]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, timeout=seconds).stdout
    return json.loads(output.splitlines()[-1])


def measure(options):
    import keras
    import numpy as np

    import keras_hrnet

    height, width = options.size
    model = getattr(keras_hrnet, options.network)(
        input_shape=(height, width, 3),
        dtype=options.policy,
        data_format="channels_last",
        remat=options.remat == "yes",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss, jit_compile=True if options.compile else "auto")
    model.optimizer.build(model.trainable_variables)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (options.batch, height, width, 3), "uint8")
    labels = generator.integers(0, NUM_CLASSES, (options.batch, height, width), "uint8")

    gc.collect()
    start = start_watching()
    seconds = []
    for _ in range(options.steps):
        begin = time.perf_counter()
        model.train_on_batch(images, labels)
        seconds.append(time.perf_counter() - begin)
    later = min(seconds[1:], default=seconds[0])
    return {"mebibytes": (peak_bytes() - start) / 2**20, "first": seconds[0], "later": later}


def show_parts(options):
    shape = (options.batch, *options.size, NUM_CLASSES)
    print(f"{options.backend}, logits of {shape}, {4 * math.prod(shape) / 2**20:.0f} MiB")
    print("| | memory in multiples of the logits' size | ms |\n| --- | ---: | ---: |", flush=True)
    for part in PARTS:
        result = in_process(options.backend, options.seconds, "--part", part)
        print(f"| {part} | {result['sizes']:.2f} | {1000 * result['seconds']:.0f} |", flush=True)


def measure_part(options):
    """Measures the memory of a loss or label in multiples of the logits' size, including the gradient of a loss."""
    import keras
    import numpy as np

    from keras_hrnet.layers.labels import argmax
    from keras_hrnet.training import CrossEntropy, OhemCrossEntropy

    function = {
        "CrossEntropy": CrossEntropy(),
        "OhemCrossEntropy": OhemCrossEntropy(),
        "SparseCategoricalCrossentropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
        "argmax": argmax,
        "keras.ops.argmax": keras.ops.argmax,
    }[options.part]
    shape = (options.batch, *options.size)
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((*shape, NUM_CLASSES), "float32")
    labels = keras.ops.convert_to_tensor(generator.integers(0, NUM_CLASSES, shape, "uint8"))
    size, logits = logits.nbytes, keras.ops.convert_to_tensor(logits)
    run = RUN[keras.config.backend()](function, labels, logits)
    sizes, seconds = [], []
    for _ in range(options.steps + 1):
        gc.collect()
        start = start_watching()
        begin = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - begin)
        sizes.append((peak_bytes() - start) / size)
        del result
    # The first run is left out, because it compiles and initializes.
    return {"sizes": min(sizes[1:]), "seconds": min(seconds[1:])}


def by_tensorflow(function, labels, logits):
    import keras
    import tensorflow as tf

    @tf.function
    def run(labels, logits):
        if not isinstance(function, keras.losses.Loss):
            return function(logits, -1)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = function(labels, logits)
        return value, tape.gradient(value, logits)

    return lambda: run(labels, logits)


def by_jax(function, labels, logits):
    import jax
    import keras

    if isinstance(function, keras.losses.Loss):
        run = jax.jit(jax.value_and_grad(function, argnums=1))
        return lambda: jax.block_until_ready(run(labels, logits))
    return lambda: jax.block_until_ready(function(logits, -1))


def by_torch(function, labels, logits):
    import keras

    if not isinstance(function, keras.losses.Loss):
        return lambda: function(logits, -1)
    logits.requires_grad_()

    def run():
        function(labels, logits).backward()
        gradient, logits.grad = logits.grad, None
        return gradient

    return run


RUN = {"tensorflow": by_tensorflow, "jax": by_jax, "torch": by_torch}


def start_watching():
    """Returns the number of bytes in use, and, on a CPU, resets the peak."""
    statistics = accelerator_statistics()
    if statistics is not None:
        return statistics[0]
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return resident_bytes("VmRSS")


def peak_bytes():
    statistics = accelerator_statistics()
    return resident_bytes("VmHWM") if statistics is None else statistics[1]


def resident_bytes(name):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no line {name}. Expected Linux. Run the script there.")


def accelerator_statistics():
    """Returns the bytes in use and the peak of the bytes in use on the first accelerator; None if there is none."""
    import keras

    if keras.config.backend() == "torch":
        import torch

        return (torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None
    if keras.config.backend() == "jax":
        import jax

        statistics = jax.devices()[0].memory_stats()
        return (statistics["bytes_in_use"], statistics["peak_bytes_in_use"]) if statistics else None
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return None
    statistics = tf.config.experimental.get_memory_info("GPU:0")
    return statistics["current"], statistics["peak"]


if __name__ == "__main__":
    main()
