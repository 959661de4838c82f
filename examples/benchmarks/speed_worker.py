"""Runs one network in a separate process, for `speed.py`: it answers each line of its input with a line of JSON.

Its argument is JSON with these entries: contender, network, task ("inference" or "training"), size, batch, dtype,
threads, gpu (whether to run on a GPU), cpu_seconds (whether to measure processor time instead of wall-clock time),
steps (number of steps that are timed together), reference (the folder of the published code) and files (the folder of
exported files). The lines are "step", "memory" and "profile".
"""

import itertools
import json
import os
import pathlib
import resource
import sys
import time

import numpy as np
from operators import operator_seconds

NUM_CLASSES = 19
AUXILIARY_WEIGHT = 0.4
KERAS_BACKEND = os.environ.get("KERAS_BACKEND")


def main(options):
    prepare, build, make_run = CONTENDERS[options["contender"]](options)
    prepare()
    memory = peak_bytes()
    network = build()
    generator = np.random.default_rng(0)
    shape = (options["batch"], *options["size"])
    images = generator.integers(0, 256, (*shape, 3), np.uint8)
    labels = generator.integers(0, NUM_CLASSES, shape, np.uint8)

    clock = time.process_time if options["cpu_seconds"] else time.perf_counter

    def steps():
        """Yields before each step, and prints the time of the step."""
        begin = clock()
        yield
        answer({"first": clock() - begin})
        if options["gpu"]:
            leave_gpu_memory()
        for line in sys.stdin:
            if line.strip() == "memory":
                answer({"bytes": gpu_peak_bytes() if options["gpu"] else peak_bytes() - memory})
                continue
            if line.strip() == "profile":
                with operator_seconds(KERAS_BACKEND) as seconds:
                    yield
                answer(seconds)
                continue
            if options["gpu"]:
                yield  # After a pause, this step allocates memory again, and the GPU raises its clock rate.
            begin = clock()
            for _ in range(options["steps"]):
                yield
            answer({"seconds": (clock() - begin) / options["steps"]})
            if options["gpu"]:
                leave_gpu_memory()

    make_run(network, images, labels, steps())


def answer(values):
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def peak_bytes():
    """Returns the peak memory of the process; on Linux without its parent's memory, which counts before `exec`."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def gpu_peak_bytes():
    """Returns the peak memory of tensors on the GPU, without further memory that the allocator reserves."""
    if KERAS_BACKEND == "jax":
        import jax

        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"]
    import torch

    return torch.cuda.max_memory_allocated()


def leave_gpu_memory():
    """Releases the memory that PyTorch reserves, for the other processes."""
    if KERAS_BACKEND == "torch":
        import torch

        torch.cuda.empty_cache()


def published(options, channels_last, compiled=False):
    """Returns the steps of the published network and loss in PyTorch, with AMP unless the dtype is float32."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    half = torch.autocast(device, torch.bfloat16, enabled=options["dtype"] != "float32")

    def prepare():
        import published  # noqa: F401 (measured as a part of the imports)

        torch.set_num_threads(options["threads"])
        torch.backends.cudnn.benchmark = True  # As in the published configurations.

    def build():
        from published import published_network

        network = published_network(options["reference"], options["network"], NUM_CLASSES)
        return network.to(device, memory_format=layout)

    def tensors(images, labels):
        x = torch.from_numpy(images.transpose(0, 3, 1, 2).astype("float32") / 255 - 0.45)
        x, y = x.to(device, memory_format=layout), torch.from_numpy(labels).long().to(device)
        return x, y

    def full_size(scores, size):
        return torch.nn.functional.interpolate(scores.float(), size, mode="bilinear", align_corners=False)

    def infer(network, images, labels, steps):
        x, _ = tensors(images, labels)
        network.eval()

        def logits_or_labels(x):
            logits = full_size(network(x)[0], x.shape[2:])
            return logits.argmax(1) if options["gpu"] else logits

        run = torch.compile(logits_or_labels) if compiled else logits_or_labels
        with torch.inference_mode(), half:
            for _ in steps:
                run(x).cpu()

    def fit(network, images, labels, steps):
        x, y = tensors(images, labels)
        optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
        criterion = torch.nn.CrossEntropyLoss(ignore_index=255)
        network.train()

        def loss_of(x, y):
            main, *auxiliary = (criterion(full_size(logits, y.shape[1:]), y) for logits in network(x))
            return main + AUXILIARY_WEIGHT * sum(auxiliary)

        run = torch.compile(loss_of) if compiled else loss_of
        for _ in steps:
            optimizer.zero_grad()
            with half:
                loss = run(x, y)
            loss.backward()
            optimizer.step()
            loss.item()

    return prepare, build, infer if options["task"] == "inference" else fit


def ours(options, optimized=False):
    """Returns the steps of this package on the backend of KERAS_BACKEND, by `predict_on_batch` and `fit`.

    On a GPU, inference is measured from pixels on the GPU to labels on the host, because copying logits would take
    longer than computing them.
    """

    def prepare():
        import keras

        import keras_hrnet  # noqa: F401

        if options["task"] == "training" and not options["gpu"]:
            import tensorflow  # noqa: F401 (for the data; measured as a part of the imports)
        if KERAS_BACKEND == "torch":
            import torch

            torch.set_num_threads(options["threads"])
            torch.backends.cudnn.benchmark = True
        if options["dtype"] != "float32":
            keras.config.set_dtype_policy(options["dtype"])

    def build():
        import keras_hrnet

        model = getattr(keras_hrnet, options["network"])(NUM_CLASSES)
        return keras_hrnet.optimize_for_inference(model) if optimized else model

    def infer(network, images, labels, steps):
        if options["gpu"]:
            infer_labels(network, images, steps)
        else:
            x = images.astype("float32")
            for _ in steps:
                network.predict_on_batch(x)

    def fit(network, images, labels, steps):
        import keras

        from keras_hrnet.training import SGD, CrossEntropy

        class Paused(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                if next(steps, self) is self:
                    self.model.stop_training = True

            def on_train_batch_end(self, batch, logs=None):
                float(logs["loss"])

        network.compile(SGD(0.01, momentum=0.9, weight_decay=5e-4), CrossEntropy())
        if options["gpu"]:
            batches = (batch for batch in itertools.repeat((images, labels)))
        else:
            import tensorflow as tf

            # As in the pipeline of this package. A generator would slow down every allocation of the process.
            batches = tf.data.Dataset.from_tensors((images, labels)).repeat()
        network.fit(batches, steps_per_epoch=10**6, shuffle=False, verbose=0, callbacks=[Paused()])

    return prepare, build, infer if options["task"] == "inference" else fit


def infer_labels(network, images, steps):
    import keras

    def labels(x):
        return keras.ops.argmax(network(x, training=False), -1)

    x = keras.ops.convert_to_tensor(images)
    if KERAS_BACKEND == "jax":
        import jax

        def stateless(trainable, others, x):
            logits, _ = network.stateless_call(trainable, others, x, training=False)
            return keras.ops.argmax(logits, -1)

        values = [[v.value for v in vs] for vs in (network.trainable_variables, network.non_trainable_variables)]
        run, arguments = jax.jit(stateless), (*values, x)
    else:
        import torch

        run, arguments = labels, (x,)
        torch.set_grad_enabled(False)
    for _ in steps:
        keras.ops.convert_to_numpy(run(*arguments))


def exported(options, file):
    """Returns the steps of an exported file in its runtime."""
    path = pathlib.Path(options["files"], f"{options['network']}{file}")

    def prepare():
        import keras_hrnet.export.formats  # noqa: F401 (measured as a part of the imports)

    def build():
        from keras_hrnet.export.formats import open_runner
        from keras_hrnet.export.openvino import OpenvinoRunner

        if file == ".xml":
            return OpenvinoRunner(path, options["threads"], options["dtype"] != "float32")
        return open_runner(path, options["threads"])

    def infer(runner, images, labels, steps):
        for _ in steps:
            runner(images)

    return prepare, build, infer


CONTENDERS = {
    "published": lambda options: published(options, channels_last=False),
    "published, channels_last": lambda options: published(options, channels_last=True),
    "published, compiled": lambda options: published(options, channels_last=True, compiled=True),
    "Keras": ours,
    "optimized": lambda options: ours(options, optimized=True),
    "SavedModel": lambda options: exported(options, ""),
    "ONNX Runtime": lambda options: exported(options, ".onnx"),
    "OpenVINO": lambda options: exported(options, ".xml"),
    "LiteRT float32": lambda options: exported(options, "-float32.tflite"),
    "LiteRT int8": lambda options: exported(options, "-int8.tflite"),
}

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
