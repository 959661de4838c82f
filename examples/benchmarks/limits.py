"""Explains results of `speed.py`: the time of an int8 file, the memory of a training step, and compilation by JAX.

Command:  python examples/benchmarks/limits.py int8
          python examples/benchmarks/limits.py memory --reference ../reference
          python examples/benchmarks/limits.py repeated
Hardware: a CPU with Linux and the GNU C library.
Result:   tables in Markdown; see examples/benchmarks/README.md.

`int8` counts the multiplications of an exported file: those of the network, and those of the complete tiles in which
XNNPACK's kernel for AVX-512 with VNNI computes them, which determine the time of a convolution. For comparison, it
measures a file whose convolutions all fill the tiles, which shows the highest rate of the kernel on this machine.

`memory` trains HRNetW18SmallV2 on two images of 256x512, each backend in its own process, and reports the memory of the
process after each part: as measured, and after the C library has returned free memory.

`repeated` compiles a branch of twelve equal groups of residual blocks, with its gradient, in JAX: as written, and as a
loop over their kernels, whose body is compiled once.
"""

import argparse
import contextlib
import ctypes
import gc
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
from memory import resident_bytes

BACKENDS = ("tensorflow", "jax", "torch")
NETWORK, NUM_CLASSES = "HRNetW18SmallV2", 19
INT8_SIZE, STEP_SIZE, STEP_BATCH = (512, 1024), (256, 512), 2
# The name of the kernel ends in 7x16c8: the numbers of pixels, filters and channels that it processes at a time.
TILE_FILTERS, TILE_CHANNELS = 16, 8
NUM_STEPS = 10


def main():
    parser = argparse.ArgumentParser(description="Explains results of speed.py by their limits.")
    parser.add_argument("part", choices=("int8", "memory", "repeated"), help="result to explain")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS, help="backends of `memory`")
    parser.add_argument("--rounds", type=int, default=7, help="number of runs of `int8` and `repeated`")
    parser.add_argument("--reference", help="a checkout of HRNet-Semantic-Segmentation, which `memory` also measures")
    parser.add_argument("--worker", choices=("ours", "published"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure_step(options)))
    elif options.part == "int8":
        show_int8(options.rounds)
    elif options.part == "memory":
        show_memory(options)
    else:
        show_repeated(options.rounds)


def show_int8(rounds):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    import keras_hrnet

    full = keras.Sequential([keras.Input((128, 128, 3))])
    for _ in range(8):
        full.add(keras.layers.Conv2D(256, 3, padding="same"))
    full.add(keras.layers.Conv2D(NUM_CLASSES, 1))
    files = {
        f"{NETWORK}, {INT8_SIZE[0]}x{INT8_SIZE[1]}": int8_file(getattr(keras_hrnet, NETWORK)(NUM_CLASSES), INT8_SIZE),
        "3x3 convolutions of 256 channels": int8_file(full, (128, 128)),
    }
    interpreters = {name: opened(content) for name, content in files.items()}
    seconds = {name: [] for name in files}
    for _ in range(rounds):
        for name, interpreter in interpreters.items():
            begin = time.process_time()
            interpreter.invoke()
            seconds[name].append(time.process_time() - begin)
    print(f"CPU time on one thread, medians of {rounds} runs, in alternation\n")
    print("| int8 file | multiplications, G | in full tiles, G | ms | in full tiles, G per second |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, interpreter in interpreters.items():
        count, filled = multiplications(interpreter)
        median = statistics.median(seconds[name])
        cells = [f"{count / 1e9:.1f}", f"{filled / 1e9:.1f}", f"{1e3 * median:.0f}", f"{filled / 1e9 / median:.0f}"]
        print(f"| {name} | {' | '.join(cells)} |")


def int8_file(model, size):
    """Returns the file of a network, with ranges from noise, which do not affect its time."""
    import keras_hrnet
    from keras_hrnet.export import conversion, quantization

    noise = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    network = keras_hrnet.optimize_for_inference(model)
    content = conversion.convert(network, conversion.TFLiteOptions(size))
    return quantization.quantize(content, "int8", quantization.calibrate(content, noise, 1))


def opened(content):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.invoke()
    return interpreter


def multiplications(interpreter):
    """Returns the number of multiplications in all convolutions, and in the tiles in which they are computed."""
    tensors = {tensor["index"]: tensor["shape"].tolist() for tensor in interpreter.get_tensor_details()}
    count = filled = 0
    for operator in interpreter._get_ops_details():  # There is no public list of operators.
        if operator["op_name"] == "CONV_2D":
            filters, height, width, channels = tensors[operator["inputs"][1]]
            positions = math.prod(tensors[operator["outputs"][0]][1:3]) * height * width
            count += positions * filters * channels
            full_filters = math.ceil(filters / TILE_FILTERS) * TILE_FILTERS
            filled += positions * full_filters * math.ceil(channels / TILE_CHANNELS) * TILE_CHANNELS
    return count, filled


def show_repeated(rounds):
    import jax
    import jax.numpy as jnp

    def convolved(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def blocks(x, kernels):
        for first, second in kernels:
            x = jax.nn.relu(x + convolved(jax.nn.relu(convolved(x, first)), second))
        return x

    def written_out(kernels, x):
        for part in kernels:
            x = blocks(x, part)
        return x.sum()

    def as_loop(kernels, x):
        return jax.lax.scan(lambda x, part: (blocks(x, part), None), x, kernels)[0].sum()

    kernels = jnp.asarray(np.random.default_rng(0).normal(0, 0.05, (12, 4, 2, 3, 3, 32, 32)), "float32")
    x = jnp.ones((1, 64, 128, 32))
    print("| | compiling, s | step, s |\n| --- | ---: | ---: |", flush=True)
    for name, function in (("as written", written_out), ("as a loop", as_loop)):
        lowered = jax.jit(jax.value_and_grad(function)).lower(kernels, x)
        begin = time.perf_counter()
        compiled = lowered.compile()
        compiling, seconds = time.perf_counter() - begin, []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            jax.block_until_ready(compiled(kernels, x))
            seconds.append(time.perf_counter() - begin)
        print(f"| {name} | {compiling:.1f} | {statistics.median(seconds[1:]):.2f} |", flush=True)


def show_memory(options):
    print(f"{NETWORK}, {STEP_BATCH} images of {STEP_SIZE[0]}x{STEP_SIZE[1]}: MB in addition to the imports\n")
    print("| | backend | after | most | held | held after free memory is returned |")
    print("| --- | --- | --- | ---: | ---: | ---: |", flush=True)
    notes = []
    tasks = [("ours", backend) for backend in options.backends]
    if options.reference:
        tasks.insert(0, ("published", "torch"))
    for worker, backend in tasks:
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, __file__, "memory", "--worker", worker]
        command += ["--reference", options.reference] if options.reference else []
        output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
        result = json.loads(output.splitlines()[-1])
        for after, *megabytes in result["parts"]:
            cells = " | ".join(f"{value:.0f}" for value in megabytes)
            print(f"| {worker} | {backend} | {after} | {cells} |", flush=True)
        notes.append(f"{worker}, {backend}: {result['note']}")
    print("\n" + "\n".join(notes))


def measure_step(options):
    from speed_worker import CONTENDERS

    worker = {
        "network": NETWORK,
        "task": "training",
        "size": STEP_SIZE,
        "batch": STEP_BATCH,
        "dtype": "float32",
        "threads": os.cpu_count(),
        "gpu": False,
        "reference": options.reference,
    }
    contender = "Keras" if options.worker == "ours" else "published, channels_last"
    prepare, build, fit = CONTENDERS[contender](worker)
    prepare()
    start, parts = resident_bytes("VmRSS"), []

    def note_part(after):
        most, held = resident_bytes("VmHWM"), resident_bytes("VmRSS")
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        parts.append((after, *((value - start) / 1e6 for value in (most, held, resident_bytes("VmRSS")))))
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # Resets the peak, VmHWM.

    network = build()
    note_part("building")
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (STEP_BATCH, *STEP_SIZE, 3), np.uint8)
    labels = generator.integers(0, NUM_CLASSES, (STEP_BATCH, *STEP_SIZE), np.uint8)
    tensor_peaks = []

    def steps():
        yield
        note_part("the first step")
        for _ in range(NUM_STEPS):
            yield
        note_part(f"{NUM_STEPS} more")
        if os.environ["KERAS_BACKEND"] == "torch":
            with counting_tensors(tensor_peaks):
                yield

    fit(network, images, labels, steps())
    if os.environ["KERAS_BACKEND"] == "torch":
        return {"parts": parts, "note": f"the tensors of a step take at most {tensor_peaks[0] / 1e6:.0f} MB"}
    note = {"tensorflow": traced_operations, "jax": planned_by_xla}[os.environ["KERAS_BACKEND"]]
    return {"parts": parts, "note": note(network, images, labels)}


def traced_operations(network, images, labels):
    import tensorflow as tf

    step = tf.function(lambda *batch: network.train_step(batch), autograph=False)
    graph = step.get_concrete_function(tf.constant(images), tf.constant(labels)).graph
    return f"a step has {len(graph.get_operations())} operations"


def planned_by_xla(network, images, labels):
    import jax

    lists = (
        network.trainable_variables,
        network.non_trainable_variables,
        network.optimizer.variables,
        network.metrics_variables,
    )
    state = tuple([variable.value for variable in variables] for variables in lists)
    compiled = jax.jit(network.train_step, donate_argnums=0).lower(state, (images, labels)).compile()
    return f"XLA plans {compiled.memory_analysis().temp_size_in_bytes / 1e6:.0f} MB for the computation of a step"


@contextlib.contextmanager
def counting_tensors(peaks):
    """Appends the peak bytes of tensors that are allocated in the context, according to PyTorch's profiler."""
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        yield
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    peaks.append(int(np.max(np.cumsum([event.nbytes() for event in events]))))


if __name__ == "__main__":
    main()
