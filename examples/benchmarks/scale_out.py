"""Compares training on two devices, and in two processes, with training on one device, by weights and by speed.

Command:  python examples/benchmarks/scale_out.py --differences
          python examples/benchmarks/scale_out.py --throughput --rounds 3
          python examples/benchmarks/scale_out.py --paper
Hardware: two CPU cores; a few minutes for each backend.
Result:   tables in Markdown; see examples/training.md.

`--differences` trains a narrow HRNet for ten steps by `keras_hrnet.train`, with clipped gradients, with and without
gradient accumulation over two batches, and compares weights and moving statistics. The first row of a backend is one
process whose batches have their images in reverse order, which shows the differences that rounding alone causes.

`--throughput` times the steps of two processes on one core each, of one process on one core, and of one process on two
cores, in alternation. On PyTorch, it also times an all-reduce of 64 numbers, of which a step has two for each
normalization.

`--paper` computes how much a step of HRNetW48 sends on 8 and on 64 GPUs, and how long that takes at the given speeds.
"""

import argparse
import json
import math
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

BACKENDS = ("tensorflow", "jax", "torch")
WAYS = {"tensorflow": ("devices", "processes"), "jax": ("devices", "processes"), "torch": ("processes",)}
NUM_STEPS, BATCH_SIZE, CROP_SIZE = 10, 4, (128, 256)
# With one block in each branch, it compiles quickly.
NARROW = {"width": 4, "stage1_blocks": 1, "stage1_filters": 8, "modules": (1, 1, 1), "blocks": 1}
TIMED_STEPS, TIMED_CROP_SIZE = 12, (128, 256)
FIRST_TIMED = 4
NUM_MESSAGES = 400


def main():
    parser = argparse.ArgumentParser(
        description="Compares training on two devices or in two processes with one device."
    )
    parser.add_argument("--differences", action="store_true", help="compare weights")
    parser.add_argument("--throughput", action="store_true", help="time steps")
    parser.add_argument("--paper", action="store_true", help="estimate the times of HRNetW48 on GPUs")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument(
        "--added", type=int, nargs="+", default=(1, 2), help="numbers of batches in an update, for --differences"
    )
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds of --throughput")
    parser.add_argument(
        "--separate", action="store_true", help="with --throughput, let each normalization send its own messages"
    )
    parser.add_argument("--image", type=float, default=11.0, help="computing time of a GPU per image of a step, in ms")
    parser.add_argument("--link", type=float, default=200.0, help="bandwidth between the GPUs of a machine, in GB/s")
    parser.add_argument("--network", type=float, default=25.0, help="bandwidth between machines, in GB/s")
    parser.add_argument("--message", type=float, default=30.0, help="time of a small all-reduce in a machine, in µs")
    parser.add_argument("--far-message", type=float, default=80.0, help="the same over all machines, in µs")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(**options.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if options.differences:
            show_differences(folder, options.backends, options.added)
        if options.throughput:
            show_throughput(folder, options.backends, options.rounds, options.separate)
    if options.paper:
        micro = [1e-6 * options.message, 1e-6 * options.far_message]
        show_paper(options.image / 1e3, options.link * 1e9, options.network * 1e9, *micro)


def show_differences(folder, backends, numbers_added):
    from keras_hrnet.data import synthesize

    root = folder / "differences"
    synthesize(root, num_train=NUM_STEPS * BATCH_SIZE, num_val=2, num_test=0, size=CROP_SIZE)
    print(f"HRNet of width 4, {NUM_STEPS} steps of {BATCH_SIZE} images of {CROP_SIZE[0]}x{CROP_SIZE[1]}, clipped\n")
    print("| backend | | batches per update | weights | moving statistics, relative |")
    print("| --- | --- | ---: | ---: | ---: |", flush=True)
    for backend in backends:
        for added in numbers_added:
            one = trained(root, folder, backend, "one", added)
            for way in ("reversed", *WAYS[backend]):
                weights, statistics_of = difference(one, trained(root, folder, backend, way, added))
                names = {"reversed": "one, in reverse", "devices": "two devices", "processes": "two processes"}
                print(f"| {backend} | {names[way]} | {added} | {weights:.1e} | {statistics_of:.1e} |", flush=True)


def trained(root, folder, backend, way, added):
    """Returns the weights after training, by path."""
    import numpy as np

    result = folder / f"{backend}-{way}-{added}.npz"
    task = {"root": str(root), "result": str(result), "added": added, "reverses": way == "reversed"}
    run(backend, way, {**task, "crop_size": CROP_SIZE, "is_narrow": True})
    with np.load(result) as file:
        return dict(file)


def difference(ours, theirs):
    """Returns the largest difference of weights, and of statistics relative to the largest statistic of their layer."""
    import numpy as np

    weights, moving = 0.0, 0.0
    for path, one in ours.items():
        distance = np.abs(one - theirs[path]).max()
        if "/moving_" in path:
            moving = max(moving, distance / np.abs(one).max())
        else:
            weights = max(weights, distance)
    return weights, moving


def show_throughput(folder, backends, rounds, is_separate):
    from keras_hrnet.data import synthesize

    root = folder / "throughput"
    synthesize(root, num_train=TIMED_STEPS * BATCH_SIZE, num_val=2, num_test=0, size=TIMED_CROP_SIZE)
    height, width = TIMED_CROP_SIZE
    print(f"\nHRNetW18Small, {BATCH_SIZE} images of {height}x{width} per step: seconds, medians of {rounds} rounds\n")
    print("| backend | one process, one core | one process, two cores | two processes, one core each | message, ms |")
    print("| --- | ---: | ---: | ---: | ---: |", flush=True)
    settings = {"one core": ("one", [[0]]), "two cores": ("one", [[0, 1]]), "processes": ("processes", [[0], [1]])}
    for backend in backends:
        seconds, messages = {name: [] for name in settings}, []
        for i in range(rounds):
            for name in seconds:
                way, cores = settings[name]
                result = folder / f"{backend}-{name}-{i}.npz"
                task = {"root": str(root), "result": str(result), "added": 1, "crop_size": TIMED_CROP_SIZE}
                task["is_separate"] = is_separate
                step, message = run(backend, way, task, cores)
                seconds[name].append(step)
                messages += [message] if message else []
        cells = [f"{statistics.median(seconds[name]):.2f}" for name in settings]
        cells.append(f"{1e3 * statistics.median(messages):.2f}" if messages else "")
        print(f"| {backend} | {' | '.join(cells)} |", flush=True)


def run(backend, way, task, cores=(None, None)):
    """Runs the processes of a run; returns the seconds of a step and of a message, as measured by the first process."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    options = [{}]
    if way == "devices":
        environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
        options = [{"devices": 2}]
    if way == "processes":
        hosts = two_hosts()
        options = [{"hosts": hosts, "process": i} for i in range(2)]
    processes = []
    for option, of_process in zip(options, cores, strict=False):
        work = json.dumps({**task, "together": option, "cores": of_process})
        command = [sys.executable, __file__, "--worker", work]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    outputs = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        if process.returncode:
            sys.exit(f"{backend}, {way}: {errors[-3000:]}")
    return json.loads(outputs[0][0].splitlines()[-1])


def two_hosts():
    with socket.create_server(("localhost", 0)) as first, socket.create_server(("localhost", 0)) as second:
        return [f"localhost:{server.getsockname()[1]}" for server in (first, second)]


def work(root, result, added, crop_size, together, cores=None, reverses=False, is_narrow=False, is_separate=False):
    """Trains for an epoch, and prints the median seconds of a step and the seconds of a message."""
    if cores:
        os.sched_setaffinity(0, cores)
    import keras
    import numpy as np

    import keras_hrnet
    from keras_hrnet.data import cityscapes
    from keras_hrnet.distributed.processes import num_devices

    if keras.config.backend() == "tensorflow" and "devices" in together:
        import tensorflow as tf

        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)

    if is_separate:
        keras_hrnet.layers.together.shares_batch = lambda training: False

    class Times(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.moments = []

        def on_train_batch_end(self, batch, logs=None):
            self.moments.append(time.perf_counter())

    with keras_hrnet.training.distributed(**together):
        keras.utils.set_random_seed(0)
        narrow = keras_hrnet.Variant("Narrow", **NARROW)
        model = keras_hrnet.HRNet(narrow, 19) if is_narrow else keras_hrnet.HRNetW18Small()
        train = cityscapes(root, "train", batch_size=BATCH_SIZE, crop_size=crop_size, flip=0.0, scales=(1.0, 1.0))
        val = cityscapes(root, "val", batch_size=num_devices())
        if reverses:
            backwards = train.from_step
            train.from_step = lambda step: backwards(step).map(lambda image, label: (image[::-1], label[::-1]))
        times = Times()
        folder = pathlib.Path(result).with_suffix("")
        options = {"epochs": 1, "learning_rate": 1e-3, "clip_norm": 1.0, "batch_size": BATCH_SIZE * added}
        options["gradient_accumulation"] = added
        keras_hrnet.train(model, train, val, run_dir=folder, callbacks=[times], save_minutes=1e6, **options)
        if not together.get("process"):
            values = zip(model.weights, model.get_weights(), strict=True)
            np.savez(result, **{variable.path: value for variable, value in values})
        message = message_seconds() if together.get("hosts") else None
    steps = np.diff(times.moments)[FIRST_TIMED - 1 :]
    print(json.dumps([float(np.median(steps)), message]))


def message_seconds():
    """Returns the mean seconds of an all-reduce of 64 numbers; None on backends where it is not a separate call."""
    import keras

    from keras_hrnet.distributed.replicas import sum_over_replicas

    if keras.config.backend() != "torch":
        return None
    numbers = keras.ops.ones(64)
    begin = time.perf_counter()
    for _ in range(NUM_MESSAGES):
        sum_over_replicas(numbers)
    return (time.perf_counter() - begin) / NUM_MESSAGES


def show_paper(image, link, network, message, far_message):
    """Prints an estimate of the parts of a step of HRNetW48, if communication and computation do not overlap."""
    import keras_hrnet
    from keras_hrnet.layers import BatchNorm
    from keras_hrnet.layers.sublayers import sublayers

    model = keras_hrnet.HRNetW48()
    num_norms = sum(isinstance(layer, BatchNorm) for layer in sublayers(model))
    num_messages = count_messages(model)
    num_bytes = 4 * sum(math.prod(variable.shape) for variable in model.trainable_variables)
    print(f"\nHRNetW48: {num_bytes / 1e6:.0f} MB of gradients, {num_norms} normalizations in {num_messages} messages\n")
    titles = ("computing, ms", "gradients, ms", "normalization, ms", "of the ideal", "with a message per layer")
    print(f"| GPUs | images on each | {' | '.join(titles)} |\n|{' ---: |' * (2 + len(titles))}")
    for num_machines in (1, 8):
        for num_images in (3, 12):
            computing = image * num_images
            # A ring sends nearly all bytes twice within each machine, and their sums nearly twice between machines.
            gradients = num_bytes * 2 * (7 / 8) / link + num_bytes * 2 * (1 - 1 / num_machines) / network
            # One all-reduce in the forward pass, and one in the backward pass.
            seconds = message if num_machines == 1 else far_message
            norms, separate = 2 * num_messages * seconds, 2 * num_norms * seconds
            cells = [f"{1e3 * seconds:.0f}" for seconds in (computing, gradients, norms)]
            cells += [f"{100 * computing / (computing + gradients + each):.0f} %" for each in (norms, separate)]
            print(f"| {8 * num_machines} | {num_images} | {' | '.join(cells)} |")


def count_messages(model):
    """Counts the all-reduces of a forward pass in training, with a counter in place of `sum_over_replicas`."""
    import numpy as np

    from keras_hrnet.layers import normalization, together

    sent = []
    with (
        mock.patch.object(normalization, "sum_over_replicas", lambda x: sent.append(x.shape) or x),
        mock.patch.object(normalization, "num_replicas", lambda: 2),
        mock.patch.object(together, "num_replicas", lambda: 2),
    ):
        model(np.zeros((2, 64, 64, 3), "float32"), training=True)
    return len(sent)


if __name__ == "__main__":
    main()
