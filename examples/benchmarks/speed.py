"""How fast the networks are on each backend and as exported files, beside the published PyTorch code.

Command:  git clone https://github.com/HRNet/HRNet-Semantic-Segmentation ../reference   (its branch HRNet-OCR)
          python examples/benchmarks/speed.py inference training --reference ../reference --files
          python examples/benchmarks/speed.py inference training --reference ../reference --gpu --network HRNetW48
              --size 512 1024 --batch 12 --dtype mixed_bfloat16
Hardware: a CPU with two cores and 12 GB; for the last line a GPU of 100 GB, or a smaller batch.
Result:   see examples/benchmarks/README.md.

Each contender has a process of its own; they run in turn, one step each, so that what else the machine does slows all
alike; on a GPU, ten steps each. Medians; "of published" is the median over the rounds of the ratio to the published
code with channels_last memory, on a GPU also compiled by `torch.compile`.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

YARDSTICK = ("published, channels_last", "torch")
GPU_YARDSTICK = ("published, compiled", "torch")
GPU_STEPS = 10
BACKENDS = ("tensorflow", "torch", "jax")
FILES = ("SavedModel", "ONNX Runtime", "LiteRT float32", "LiteRT int8")


def main():
    parser = argparse.ArgumentParser(description="Measures the networks beside the published code.")
    parser.add_argument("tasks", nargs="+", choices=("inference", "training"))
    parser.add_argument("--reference", required=True, help="a checkout of HRNet-Semantic-Segmentation")
    parser.add_argument("--network", default="HRNetW18SmallV2")
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="512x1024; training: 256x512")
    parser.add_argument("--batch", type=int, help="1; training: 2")
    parser.add_argument("--dtype", default="float32", help="a dtype policy; the published code then runs under AMP")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--files", action="store_true", help="measure exported files too")
    parser.add_argument("--gpu", action="store_true", help="JAX and PyTorch on a GPU, with torch.compile")
    parser.add_argument("--out", type=pathlib.Path, help="a JSON file that the results are added to")
    options = parser.parse_args()
    for task in options.tasks:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(task, options, folder)
        show(task, options, measured)
        if options.out:
            known = json.loads(options.out.read_text()) if options.out.exists() else {}
            known[f"{task} {options.network}"] = [[*name, values] for name, values in measured.items()]
            options.out.write_text(json.dumps(known, indent=2) + "\n")


def contenders(task, options):
    """Lists (contender, backend)."""
    found = [("published", "torch"), YARDSTICK]
    if options.gpu:
        found.append(GPU_YARDSTICK)
    for backend in options.backends:
        if options.gpu and backend == "tensorflow":
            continue
        found.append(("Keras", backend))
        if task == "inference":
            found.append(("optimised", backend))
    if task == "inference" and options.files:
        found += [(name, "tensorflow") for name in FILES]
    return found


def measure(task, options, folder):
    """Returns a dict from (contender, backend) to its seconds and bytes."""
    if task == "inference" and options.files:
        export(options, folder)
    names = contenders(task, options)
    measured = {}
    with contextlib.ExitStack() as stack:
        processes = {}
        # Those that compile for minutes begin first, while the others take their first steps one after the other.
        for name in sorted(names, key=compiles_for_gpu, reverse=True) if options.gpu else names:
            processes[name] = stack.enter_context(start(name, task, options, folder))
            if not (options.gpu and compiles_for_gpu(name)):
                measured[name] = ask(processes[name])
        measured = {name: measured.get(name) or ask(processes[name]) for name in names}
        seconds = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                seconds[name].append(ask(processes[name], "step")["seconds"])
        for name in names:
            measured[name] |= {"seconds": seconds[name], **ask(processes[name], "memory")}
    return measured


def compiles_for_gpu(name):
    return name == GPU_YARDSTICK or name[1] == "jax"


def start(name, task, options, folder):
    contender, backend = name
    size, batch = size_and_batch(task, options)
    worker = {
        "contender": contender,
        "network": options.network,
        "task": task,
        "size": size,
        "batch": batch,
        "dtype": options.dtype,
        "threads": options.threads,
        "gpu": options.gpu,
        "steps": GPU_STEPS if options.gpu else 1,
        "reference": options.reference,
        "files": folder,
    }
    path = pathlib.Path(__file__).with_name("speed_worker.py")
    return subprocess.Popen(
        [sys.executable, str(path), json.dumps(worker)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if os.environ.get("QUIET", "1") == "1" else None,
        text=True,
        env=environment(backend, options.threads),
    )


def size_and_batch(task, options):
    size, batch = ((256, 512), 2) if task == "training" else ((512, 1024), 1)
    return options.size or size, options.batch or batch


def environment(backend, threads):
    variables = {
        "KERAS_BACKEND": backend,
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # Several processes share a GPU.
    }
    if threads < (os.cpu_count() or 1):
        variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false" if threads == 1 else ""
    return {**os.environ, **variables}


def ask(process, command=None):
    if command:
        process.stdin.write(command + "\n")
        process.stdin.flush()
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"{process.args[-1]} ended with status {process.wait()}. Run it by hand to see why.")


def export(options, folder):
    """Writes the network in every format; integers of random weights are not held to a bound, as their speed counts."""
    code = (
        "import sys, pathlib, keras_hrnet, numpy as np\n"
        "from keras_hrnet.export import conversion, options, quantization\n"
        "name, folder, *size = sys.argv[1:]; size = tuple(map(int, size)); folder = pathlib.Path(folder)\n"
        "model = getattr(keras_hrnet, name)(19)\n"
        "keras_hrnet.export_saved_model(model, folder / name)\n"
        "keras_hrnet.export_onnx(model, folder / f'{name}.onnx', image_size=size, batch_size=1)\n"
        "network = keras_hrnet.optimize_for_inference(model)\n"
        "content = conversion.convert(network, options.TFLiteOptions(size))\n"
        "(folder / f'{name}-float32.tflite').write_bytes(content)\n"
        "noise = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)\n"
        "ranges = quantization.calibrate(content, noise, 1)\n"
        "(folder / f'{name}-int8.tflite').write_bytes(quantization.quantize(content, 'int8', ranges))\n"
    )
    size = map(str, options.size or (512, 1024))
    command = [sys.executable, "-c", code, options.network, folder, *size]
    subprocess.run(command, check=True, env=environment("tensorflow", options.threads), stderr=subprocess.DEVNULL)


def show(task, options, measured):
    print(f"\n{task}, {options.network}, {options.dtype}")
    if options.gpu:
        show_gpu(task, options, measured)
        return
    print("| | backend | first, s | step, ms | of published | memory, GB |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for (contender, backend), told in measured.items():
        milliseconds = 1000 * statistics.median(told["seconds"])
        share = median_ratio(told, measured[YARDSTICK])
        memory = told["bytes"] / 1e9
        print(f"| {contender} | {backend} | {told['first']:.1f} | {milliseconds:.0f} | {share:.2f} | {memory:.2f} |")


def show_gpu(task, options, measured):
    from keras_hrnet.models import VARIANTS
    from keras_hrnet.models.cost import cost

    size, batch = size_and_batch(task, options)
    multiplications = batch * cost(VARIANTS[options.network], image_size=tuple(size)).multiplications
    # The backward pass multiplies twice: for the maps, and for the kernels.
    operations = 2 * multiplications * (3 if task == "training" else 1)
    peak = matrix_peak()
    print(f"A product of matrices of 8192 x 8192 in bfloat16: {peak / 1e12:.0f} TFLOP/s; share of peak: of that")
    print("| | backend | first, s | step, ms | images a second | of published, compiled | memory, GB | share of peak |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (contender, backend), told in measured.items():
        seconds = statistics.median(told["seconds"])
        row = [
            contender,
            backend,
            f"{told['first']:.1f}",
            f"{1000 * seconds:.1f}",
            f"{batch / seconds:.1f}",
            f"{median_ratio(told, measured[GPU_YARDSTICK]):.2f}",
            f"{told['bytes'] / 1e9:.1f}",
            f"{100 * operations / seconds / peak:.0f} %",
        ]
        print(f"| {' | '.join(row)} |")


def median_ratio(told, yardstick):
    return statistics.median(a / b for a, b in zip(told["seconds"], yardstick["seconds"], strict=True))


def matrix_peak():
    """Measures the operations a second of a large product of matrices in bfloat16, two for each multiplication."""
    import torch
    from torch.utils.benchmark import Timer

    side = 8192 if torch.cuda.is_available() else 512
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    measurement = Timer("a @ b", globals={"a": a, "b": b}).blocked_autorange(min_run_time=1)
    return 2 * math.pow(side, 3) / measurement.median


if __name__ == "__main__":
    main()
